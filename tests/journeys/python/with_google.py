"""Google's SDK: functions called automatically, whole and streamed, and a chat whose streamed turns call several at once."""

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


def chat() -> str:
    """The final text of a chat that is streamed; its functions are called here."""
    by_hand = types.AutomaticFunctionCallingConfig(disable=True)
    talk = client.chats.create(model=model, config=types.GenerateContentConfig(tools=[weather], automatic_function_calling=by_hand))
    message = "weather in Bern?"
    while True:
        chunks = list(talk.send_message_stream(message))
        calls = [call for chunk in chunks for call in chunk.function_calls or []]
        if not calls:
            return "".join(chunk.text or "" for chunk in chunks)
        message = [
            types.Part(
                function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": weather(**call.args)})
            )
            for call in calls
        ]


sys.stdout.write(json.dumps([whole, streamed, chat()]))
