"""Google's SDK: functions called automatically, whole and streamed."""

import json
import sys

from google import genai
from google.genai import types

address, key, model = sys.argv[1:]
client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=address))


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


config = types.GenerateContentConfig(tools=[weather])
whole = client.models.generate_content(model=model, contents="weather in Bern?", config=config).text
stream = client.models.generate_content_stream(model=model, contents="weather in Bern?", config=config)
streamed = "".join(chunk.text or "" for chunk in stream)
sys.stdout.write(json.dumps([whole, streamed]))
