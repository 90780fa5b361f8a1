#!/bin/sh
# Texts as vectors. The demo has no model for this: name one of yours in CONDUIT_MODEL.
set -eu
URL=${CONDUIT_URL:-http://127.0.0.1:5000} MODEL=${CONDUIT_MODEL:-text-embedding-3-small}

curl -fsS --noproxy '*' "$URL/v1/embeddings" -H "Authorization: Bearer $CONDUIT_KEY" -H 'Content-Type: application/json' -d @- <<JSON
{"model": "$MODEL", "input": ["The first text", "The second text"]}
JSON
