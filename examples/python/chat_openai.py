"""One answer, with OpenAI's SDK."""

import os

from openai import OpenAI

client = OpenAI(base_url=os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000") + "/v1", api_key=os.environ["CONDUIT_KEY"])
model = os.environ.get("CONDUIT_MODEL", "demo")

answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Say hello in one sentence."}])
print(answer.choices[0].message.content)
