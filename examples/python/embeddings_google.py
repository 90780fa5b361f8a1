"""Texts as vectors; the demo has no model for this: name one of yours in CONDUIT_MODEL, with Google's SDK."""

import os

from google import genai

client = genai.Client(
    api_key=os.environ["CONDUIT_KEY"],
    http_options={"base_url": os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000")},
)
model = os.environ.get("CONDUIT_MODEL", "text-embedding-3-small")

answer = client.models.embed_content(model=model, contents=["The first text", "The second text"])
for row in answer.embeddings:
    print(len(row.values), "numbers:", row.values[:3])
