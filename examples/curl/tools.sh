#!/bin/sh
# The model calls a function. What it returned goes back as a message of the role `tool` (see python/tools_openai.py).
set -eu
URL=${CONDUIT_URL:-http://127.0.0.1:5000} MODEL=${CONDUIT_MODEL:-demo/demo-tools}

curl -fsS --noproxy '*' "$URL/v1/chat/completions" -H "Authorization: Bearer $CONDUIT_KEY" -H 'Content-Type: application/json' -d @- <<JSON
{
  "model": "$MODEL",
  "messages": [{"role": "user", "content": "What is the weather in Bern?"}],
  "tools": [{
    "type": "function",
    "function": {
      "name": "weather",
      "description": "The weather in a city.",
      "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    }
  }]
}
JSON
