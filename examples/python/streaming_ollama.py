"""An answer, word by word, with Ollama's SDK."""

import os

from ollama import Client

client = Client(
    host=os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000"),
    headers={"Authorization": f"Bearer {os.environ['CONDUIT_KEY']}"},
)
model = os.environ.get("CONDUIT_MODEL", "demo")

for part in client.chat(model=model, messages=[{"role": "user", "content": "Say hello in one sentence."}], stream=True):
    print(part.message.content, end="", flush=True)
print()
