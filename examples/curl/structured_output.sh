#!/bin/sh
# An answer that follows a JSON schema.
set -eu
URL=${CONDUIT_URL:-http://127.0.0.1:5000} MODEL=${CONDUIT_MODEL:-demo}

curl -fsS --noproxy '*' "$URL/v1/chat/completions" -H "Authorization: Bearer $CONDUIT_KEY" -H 'Content-Type: application/json' -d @- <<JSON
{
  "model": "$MODEL",
  "messages": [{"role": "user", "content": "Which country is Bern the capital of?"}],
  "response_format": {
    "type": "json_schema",
    "json_schema": {
      "name": "capital",
      "strict": true,
      "schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
        "required": ["city", "country"],
        "additionalProperties": false
      }
    }
  }
}
JSON
