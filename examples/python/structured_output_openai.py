"""An answer that follows a JSON schema, with OpenAI's SDK."""

import json
import os

from openai import OpenAI

client = OpenAI(base_url=os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000") + "/v1", api_key=os.environ["CONDUIT_KEY"])
model = os.environ.get("CONDUIT_MODEL", "demo")

schema = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
    "required": ["city", "country"],
    "additionalProperties": False,
}
answer = client.chat.completions.create(
    model=model,
    messages=[{"role": "user", "content": "Which country is Bern the capital of?"}],
    response_format={"type": "json_schema", "json_schema": {"name": "capital", "strict": True, "schema": schema}},
)
print(json.loads(answer.choices[0].message.content)["country"])
