"""Anthropic's SDK: its tool runner, whole and streamed."""

import json
import sys

from anthropic import Anthropic, beta_tool

address, key, model = sys.argv[1:]
client = Anthropic(base_url=address, api_key=key, max_retries=0)


@beta_tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def final_text(streamed: bool) -> str:
    """The final text of the model."""
    talk = [{"role": "user", "content": "weather in Bern?"}]
    runner = client.beta.messages.tool_runner(model=model, max_tokens=200, messages=talk, tools=[weather], stream=streamed)
    last = None
    for message in runner:
        last = message.get_final_message() if streamed else message
    return "".join(block.text for block in last.content if block.type == "text")


sys.stdout.write(json.dumps([final_text(False), final_text(True)]))
