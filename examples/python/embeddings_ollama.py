"""Texts as vectors; the demo has no model for this: name one of yours in CONDUIT_MODEL, with Ollama's SDK."""

import os

from ollama import Client

client = Client(
    host=os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000"),
    headers={"Authorization": f"Bearer {os.environ['CONDUIT_KEY']}"},
)
model = os.environ.get("CONDUIT_MODEL", "text-embedding-3-small")

answer = client.embed(model=model, input=["The first text", "The second text"])
for vector in answer.embeddings:
    print(len(vector), "numbers:", vector[:3])
