"""An answer that follows a JSON schema, with Anthropic's SDK."""

import json
import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000"), auth_token=os.environ["CONDUIT_KEY"])
model = os.environ.get("CONDUIT_MODEL", "demo")

schema = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
    "required": ["city", "country"],
    "additionalProperties": False,
}
answer = client.messages.create(
    model=model,
    max_tokens=1024,
    messages=[{"role": "user", "content": "Which country is Bern the capital of?"}],
    output_config={"format": {"type": "json_schema", "schema": schema}},
)
text = "".join(block.text for block in answer.content if block.type == "text")
print(json.loads(text)["country"])
