"""Ollama's library: what is there, then a tool loop, whole and streamed."""

import json
import sys

from ollama import Client, Message

address, key, model = sys.argv[1:]
client = Client(host=address, headers={"Authorization": f"Bearer {key}"})
assert model in [each.model.removesuffix(":latest") for each in client.list().models]
assert "completion" in client.show(model).capabilities
assert client.ps().models is not None


def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: its name
    """
    return f"sunny in {city}"


def message_of(talk: list, streamed: bool) -> Message:
    """The model's message; of a stream, put together."""
    answer = client.chat(model=model, messages=talk, tools=[weather], stream=streamed)
    if not streamed:
        return answer.message
    pieces = [piece.message for piece in answer]
    text, thinking = ("".join(getattr(piece, name) or "" for piece in pieces) for name in ("content", "thinking"))
    calls = [call for piece in pieces for call in piece.tool_calls or []]
    return Message(role="assistant", content=text, thinking=thinking or None, tool_calls=calls or None)


def final_text(streamed: bool) -> str:
    """The final text of the model."""
    talk = [{"role": "user", "content": "weather in Bern?"}]
    while True:
        message = message_of(talk, streamed)
        if not message.tool_calls:
            return message.content
        talk.append(message)
        for call in message.tool_calls:
            talk.append({"role": "tool", "tool_name": call.function.name, "content": weather(**call.function.arguments)})


sys.stdout.write(json.dumps([final_text(False), final_text(True)]))
