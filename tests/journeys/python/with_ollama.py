"""Ollama's library: what is there, then a tool loop, whole and streamed."""

import json
import sys

from ollama import Client

address, key, model = sys.argv[1:]
client = Client(host=address, headers={"Authorization": f"Bearer {key}"})
assert model in [each.model.removesuffix(":latest") for each in client.list().models]
assert "completion" in client.show(model).capabilities


def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: its name
    """
    return f"sunny in {city}"


def final_text(streamed: bool) -> str:
    """The final text of the model."""
    talk = [{"role": "user", "content": "weather in Bern?"}]
    answer = client.chat(model=model, messages=talk, tools=[weather], stream=streamed)
    messages_received = list(answer) if streamed else [answer]
    calls = [call for message in messages_received for call in message.message.tool_calls or []]
    talk += [messages_received[-1].message if not streamed else {"role": "assistant", "tool_calls": calls}]
    for call in calls:
        talk.append({"role": "tool", "tool_name": call.function.name, "content": weather(**call.function.arguments)})
    answer = client.chat(model=model, messages=talk, tools=[weather], stream=streamed)
    return "".join(message.message.content or "" for message in (answer if streamed else [answer]))


sys.stdout.write(json.dumps([final_text(False), final_text(True)]))
