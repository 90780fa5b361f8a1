"""The model calls a function, and answers with what it returned, with Anthropic's SDK."""

import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000"), auth_token=os.environ["CONDUIT_KEY"])
model = os.environ.get("CONDUIT_MODEL", "demo/demo-tools")


def weather(city: str) -> str:
    return f"Sunny in {city}, 21 degrees."


schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
tools = [{"name": "weather", "description": "The weather in a city.", "input_schema": schema}]
messages = [{"role": "user", "content": "What is the weather in Bern?"}]
answer = client.messages.create(model=model, max_tokens=1024, messages=messages, tools=tools)
results = []
for block in answer.content:
    if block.type == "tool_use":
        print(f"{block.name}({block.input})")
        results.append({"type": "tool_result", "tool_use_id": block.id, "content": weather(**block.input)})
messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
answer = client.messages.create(model=model, max_tokens=1024, messages=messages, tools=tools)
print("".join(block.text for block in answer.content if block.type == "text"))
