"""A question about a picture, with Anthropic's SDK."""

import base64
import os
from pathlib import Path

from anthropic import Anthropic

client = Anthropic(base_url=os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000"), auth_token=os.environ["CONDUIT_KEY"])
model = os.environ.get("CONDUIT_MODEL", "demo")

picture = Path(__file__).parents[1] / "picture.png"
data = base64.b64encode(picture.read_bytes()).decode()
content = [
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
    {"type": "text", "text": "What is in this picture?"},
]
answer = client.messages.create(model=model, max_tokens=1024, messages=[{"role": "user", "content": content}])
print("".join(block.text for block in answer.content if block.type == "text"))
