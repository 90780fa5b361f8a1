"""A question about a picture, with Ollama's SDK."""

import os
from pathlib import Path

from ollama import Client

client = Client(
    host=os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000"),
    headers={"Authorization": f"Bearer {os.environ['CONDUIT_KEY']}"},
)
model = os.environ.get("CONDUIT_MODEL", "demo")

picture = Path(__file__).parents[1] / "picture.png"
answer = client.chat(
    model=model, messages=[{"role": "user", "content": "What is in this picture?", "images": [picture.read_bytes()]}]
)
print(answer.message.content)
