"""An answer that follows a JSON schema, with Google's SDK."""

import json
import os

from google import genai

client = genai.Client(
    api_key=os.environ["CONDUIT_KEY"],
    http_options={"base_url": os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000")},
)
model = os.environ.get("CONDUIT_MODEL", "demo")

schema = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
    "required": ["city", "country"],
}
config = {"response_mime_type": "application/json", "response_json_schema": schema}
answer = client.models.generate_content(model=model, contents="Which country is Bern the capital of?", config=config)
print(json.loads(answer.text)["country"])
