"""The model calls a function, and answers with what it returned, with Ollama's SDK."""

import os

from ollama import Client

client = Client(
    host=os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000"),
    headers={"Authorization": f"Bearer {os.environ['CONDUIT_KEY']}"},
)
model = os.environ.get("CONDUIT_MODEL", "demo/demo-tools")


def weather(city: str) -> str:
    return f"Sunny in {city}, 21 degrees."


schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
tools = [{"type": "function", "function": {"name": "weather", "description": "The weather in a city.", "parameters": schema}}]
messages = [{"role": "user", "content": "What is the weather in Bern?"}]
answer = client.chat(model=model, messages=messages, tools=tools).message
messages.append(answer)
for call in answer.tool_calls or []:
    print(f"{call.function.name}({call.function.arguments})")
    messages.append({"role": "tool", "tool_name": call.function.name, "content": weather(**call.function.arguments)})
print(client.chat(model=model, messages=messages, tools=tools).message.content)
