#!/bin/sh
# A question about a picture.
set -eu
URL=${CONDUIT_URL:-http://127.0.0.1:5000} MODEL=${CONDUIT_MODEL:-demo}

PICTURE=$(base64 <"$(dirname "$0")/../picture.png" | tr -d '\n')
curl -fsS --noproxy '*' "$URL/v1/chat/completions" -H "Authorization: Bearer $CONDUIT_KEY" -H 'Content-Type: application/json' -d @- <<JSON
{
  "model": "$MODEL",
  "messages": [{
    "role": "user",
    "content": [
      {"type": "text", "text": "What is in this picture?"},
      {"type": "image_url", "image_url": {"url": "data:image/png;base64,$PICTURE"}}
    ]
  }]
}
JSON
