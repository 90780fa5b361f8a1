"""An answer, word by word, with OpenAI's SDK."""

import os

from openai import OpenAI

client = OpenAI(base_url=os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000") + "/v1", api_key=os.environ["CONDUIT_KEY"])
model = os.environ.get("CONDUIT_MODEL", "demo")

for chunk in client.chat.completions.create(
    model=model, messages=[{"role": "user", "content": "Say hello in one sentence."}], stream=True
):
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
