"""Cohere's SDK: a tool loop over its chat, whole and streamed."""

import json
import sys

from cohere import ClientV2

address, key, model = sys.argv[1:]
client = ClientV2(api_key=key, base_url=address, max_retries=0)
schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
tools = [{"type": "function", "function": {"name": "weather", "description": "The weather in a city.", "parameters": schema}}]


def whole(talk: list) -> tuple[str, list[dict]]:
    """The text and the calls of the model."""
    message = client.chat(model=model, messages=talk, tools=tools).message
    text = "".join(part.text for part in message.content or [] if part.type == "text")
    return text, [call.model_dump(exclude_none=True) for call in message.tool_calls or []]


def streamed(talk: list) -> tuple[str, list[dict]]:
    """The same, put together from the events of a stream."""
    text, calls, last = "", [], None
    for event in client.chat_stream(model=model, messages=talk, tools=tools):
        match event.type:
            case "content-delta":
                text += event.delta.message.content.text or ""
            case "tool-call-start":
                calls.append(event.delta.message.tool_calls.model_dump(exclude_none=True))
            case "tool-call-delta":
                calls[-1]["function"]["arguments"] += event.delta.message.tool_calls.function.arguments
        last = event
    assert last is not None
    assert last.type == "message-end"
    assert last.delta.finish_reason == ("TOOL_CALL" if calls else "COMPLETE")
    return text, calls


def final_text(answer: object) -> str:
    """The final text of the model."""
    talk = [{"role": "user", "content": "weather in Bern?"}]
    while True:
        text, calls = answer(talk)
        if not calls:
            return text
        talk.append({"role": "assistant", "tool_calls": calls})
        for call in calls:
            found = f"sunny in {json.loads(call['function']['arguments'])['city']}"
            talk.append({"role": "tool", "tool_call_id": call["id"], "content": found})


sys.stdout.write(json.dumps([final_text(whole), final_text(streamed)]))
