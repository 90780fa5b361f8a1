"""Texts as vectors; the demo has no model for this: name one of yours in CONDUIT_MODEL, with OpenAI's SDK."""

import os

from openai import OpenAI

client = OpenAI(base_url=os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000") + "/v1", api_key=os.environ["CONDUIT_KEY"])
model = os.environ.get("CONDUIT_MODEL", "text-embedding-3-small")

answer = client.embeddings.create(model=model, input=["The first text", "The second text"])
for row in answer.data:
    print(len(row.embedding), "numbers:", row.embedding[:3])
