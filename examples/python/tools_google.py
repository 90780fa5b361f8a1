"""The model calls a function, and answers with what it returned, with Google's SDK."""

import os

from google import genai

client = genai.Client(
    api_key=os.environ["CONDUIT_KEY"],
    http_options={"base_url": os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000")},
)
model = os.environ.get("CONDUIT_MODEL", "demo/demo-tools")


def weather(city: str) -> str:
    """The weather in a city."""
    print(f"weather({city})")
    return f"Sunny in {city}, 21 degrees."


# The SDK calls the function itself, and sends what it returned.
answer = client.models.generate_content(model=model, contents="What is the weather in Bern?", config={"tools": [weather]})
print(answer.text)
