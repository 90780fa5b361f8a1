"""LiteLLM's SDK: a tool loop over chat and Anthropic's API, whole and streamed, and over Responses."""

import json
import sys

import litellm

address, key, model = sys.argv[1:]
litellm.suppress_debug_info = True  # it prints to standard output
schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
tools = [{"type": "function", "function": {"name": "weather", "description": "The weather in a city.", "parameters": schema}}]


def weather(arguments: str) -> str:
    """The weather in a city."""
    return f"sunny in {json.loads(arguments)['city']}"


def final_text(streamed: bool, **target: str) -> str:
    """The final text of the model."""
    talk = [{"role": "user", "content": "weather in Bern?"}]
    while True:
        answer = litellm.completion(**target, api_key=key, messages=talk, tools=tools, stream=streamed, max_retries=0)
        if streamed:
            answer = litellm.stream_chunk_builder(list(answer), messages=talk)
        message = answer.choices[0].message
        if not message.tool_calls:
            return message.content
        talk.append(message.model_dump())
        for call in message.tool_calls:
            talk.append({"role": "tool", "tool_call_id": call.id, "content": weather(call.function.arguments)})


def responses() -> str:
    """The final text of responses that continue the one before."""
    flat = [{"type": "function", "name": "weather", "parameters": schema}]
    target = {"model": f"openai/{model}", "api_base": f"{address}/v1", "api_key": key, "tools": flat}
    response = litellm.responses(**target, input="weather in Bern?")
    while calls := [item for item in response.output if item.type == "function_call"]:
        found = [{"type": "function_call_output", "call_id": call.call_id, "output": weather(call.arguments)} for call in calls]
        response = litellm.responses(**target, input=found, previous_response_id=response.id)
    return response.output_text


targets = ({"model": f"openai/{model}", "api_base": f"{address}/v1"}, {"model": f"anthropic/{model}", "api_base": address})
sys.stdout.write(json.dumps([*(final_text(streamed, **target) for target in targets for streamed in (False, True)), responses()]))
