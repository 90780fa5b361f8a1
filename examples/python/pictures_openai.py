"""A question about a picture, with OpenAI's SDK."""

import base64
import os
from pathlib import Path

from openai import OpenAI

client = OpenAI(base_url=os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000") + "/v1", api_key=os.environ["CONDUIT_KEY"])
model = os.environ.get("CONDUIT_MODEL", "demo")

picture = Path(__file__).parents[1] / "picture.png"
data = base64.b64encode(picture.read_bytes()).decode()
content = [
    {"type": "text", "text": "What is in this picture?"},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
]
answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
print(answer.choices[0].message.content)
