"""An answer, word by word, with Anthropic's SDK."""

import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000"), auth_token=os.environ["CONDUIT_KEY"])
model = os.environ.get("CONDUIT_MODEL", "demo")

with client.messages.stream(
    model=model, max_tokens=1024, messages=[{"role": "user", "content": "Say hello in one sentence."}]
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
print()
