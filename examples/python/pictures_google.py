"""A question about a picture, with Google's SDK."""

import os
from pathlib import Path

from google import genai

client = genai.Client(
    api_key=os.environ["CONDUIT_KEY"],
    http_options={"base_url": os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000")},
)
model = os.environ.get("CONDUIT_MODEL", "demo")

picture = Path(__file__).parents[1] / "picture.png"
part = genai.types.Part.from_bytes(data=picture.read_bytes(), mime_type="image/png")
print(client.models.generate_content(model=model, contents=["What is in this picture?", part]).text)
