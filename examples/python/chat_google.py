"""One answer, with Google's SDK."""

import os

from google import genai

client = genai.Client(
    api_key=os.environ["CONDUIT_KEY"],
    http_options={"base_url": os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000")},
)
model = os.environ.get("CONDUIT_MODEL", "demo")

print(client.models.generate_content(model=model, contents="Say hello in one sentence.").text)
