"""OpenAI's SDK: a tool loop over chat, streamed, and over Responses."""

import json
import sys

from openai import OpenAI

address, key, model = sys.argv[1:]
client = OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0)
schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
talk = [{"role": "user", "content": "weather in Bern?"}]
tools = [{"type": "function", "function": {"name": "weather", "parameters": schema}}]
with client.chat.completions.stream(model=model, messages=talk, tools=tools) as stream:
    stream.until_done()
    message = stream.get_final_completion().choices[0].message
call = message.tool_calls[0]
kept = {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments}}
talk += [{"role": "assistant", "tool_calls": [kept]}, {"role": "tool", "tool_call_id": call.id, "content": "sunny in Bern"}]
chat = client.chat.completions.create(model=model, messages=talk, tools=tools).choices[0].message.content

flat = [{"type": "function", "name": "weather", "parameters": schema, "strict": True}]
first = client.responses.create(model=model, input="weather in Bern?", tools=flat)
wanted = next(item for item in first.output if item.type == "function_call")
output = [{"type": "function_call_output", "call_id": wanted.call_id, "output": "sunny in Bern"}]
responses = client.responses.create(model=model, input=output, previous_response_id=first.id, tools=flat).output_text
sys.stdout.write(json.dumps([chat, responses]))
