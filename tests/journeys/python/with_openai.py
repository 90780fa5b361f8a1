"""OpenAI's SDK: a tool loop over chat, by Azure's paths too, and over Responses: on the response before, with the whole history."""

import json
import sys

from openai import AzureOpenAI, OpenAI

address, key, model = sys.argv[1:]
client = OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0)
azure = AzureOpenAI(azure_endpoint=address, api_version="2025-04-01-preview", api_key=key, max_retries=0)
schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
tools = [{"type": "function", "function": {"name": "weather", "parameters": schema}}]
flat = [{"type": "function", "name": "weather", "parameters": schema, "strict": True}]


def weather(arguments: str) -> str:
    """The weather in a city."""
    return f"sunny in {json.loads(arguments)['city']}"


def chat(sdk: OpenAI, streamed: bool) -> str:
    """The final text of chat completions."""
    talk = [{"role": "user", "content": "weather in Bern?"}]
    while True:
        if streamed:
            with sdk.chat.completions.stream(model=model, messages=talk, tools=tools) as stream:
                message = stream.get_final_completion().choices[0].message
        else:
            message = sdk.chat.completions.create(model=model, messages=talk, tools=tools).choices[0].message
        if not message.tool_calls:
            return message.content
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments}}
            for call in message.tool_calls
        ]
        talk.append({"role": "assistant", "tool_calls": calls})
        for call in message.tool_calls:
            talk.append({"role": "tool", "tool_call_id": call.id, "content": weather(call.function.arguments)})


def results(output: list) -> list:
    """The items with the results of the calls."""
    return [
        {"type": "function_call_output", "call_id": item.call_id, "output": weather(item.arguments)}
        for item in output
        if item.type == "function_call"
    ]


def continued() -> str:
    """The final text of responses that continue the one before."""
    response = client.responses.create(model=model, input="weather in Bern?", tools=flat)
    while found := results(response.output):
        response = client.responses.create(model=model, input=found, previous_response_id=response.id, tools=flat)
    return response.output_text


def stateless() -> str:
    """The final text of streamed responses that are not stored."""
    history = [{"role": "user", "content": "weather in Bern?"}]
    while True:
        kept = {"store": False, "include": ["reasoning.encrypted_content"]}
        with client.responses.stream(model=model, input=history, tools=flat, **kept) as stream:
            response = stream.get_final_response()
        if not (found := results(response.output)):
            return response.output_text
        history += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in response.output] + found


sys.stdout.write(
    json.dumps([*(chat(sdk, streamed) for sdk in (client, azure) for streamed in (False, True)), continued(), stateless()])
)
