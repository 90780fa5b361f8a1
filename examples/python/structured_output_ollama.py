"""An answer that follows a JSON schema, with Ollama's SDK."""

import json
import os

from ollama import Client

client = Client(
    host=os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000"),
    headers={"Authorization": f"Bearer {os.environ['CONDUIT_KEY']}"},
)
model = os.environ.get("CONDUIT_MODEL", "demo")

schema = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
    "required": ["city", "country"],
    "additionalProperties": False,
}
answer = client.chat(model=model, messages=[{"role": "user", "content": "Which country is Bern the capital of?"}], format=schema)
print(json.loads(answer.message.content)["country"])
