#!/bin/sh
# An answer, word by word, as server-sent events.
set -eu
URL=${CONDUIT_URL:-http://127.0.0.1:5000} MODEL=${CONDUIT_MODEL:-demo}

curl -fsSN --noproxy '*' "$URL/v1/chat/completions" -H "Authorization: Bearer $CONDUIT_KEY" -H 'Content-Type: application/json' -d @- <<JSON
{"model": "$MODEL", "stream": true, "messages": [{"role": "user", "content": "Say hello in one sentence."}]}
JSON
