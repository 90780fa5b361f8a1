#!/bin/sh
# One answer.
set -eu
URL=${CONDUIT_URL:-http://127.0.0.1:5000} MODEL=${CONDUIT_MODEL:-demo}

curl -fsS --noproxy '*' "$URL/v1/chat/completions" -H "Authorization: Bearer $CONDUIT_KEY" -H 'Content-Type: application/json' -d @- <<JSON
{"model": "$MODEL", "messages": [{"role": "user", "content": "Say hello in one sentence."}]}
JSON
