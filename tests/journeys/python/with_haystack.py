"""Haystack: an agent with a tool, over chat and Responses, whole and streamed."""

import json
import sys

from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator, OpenAIResponsesChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import Tool
from haystack.utils import Secret

address, key, model = sys.argv[1:]
schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
weather = Tool("weather", "The weather in a city.", schema, lambda city: f"sunny in {city}")


def final_text(kind: type, streamed: bool) -> str:
    """The final text of the agent."""
    generator = kind(api_key=Secret.from_token(key), model=model, api_base_url=f"{address}/v1", max_retries=0)
    agent = Agent(chat_generator=generator, tools=[weather])
    callback = (lambda chunk: None) if streamed else None
    return agent.run(messages=[ChatMessage.from_user("weather in Bern?")], streaming_callback=callback)["messages"][-1].text


kinds = (OpenAIChatGenerator, OpenAIResponsesChatGenerator)
sys.stdout.write(json.dumps([final_text(kind, streamed) for kind in kinds for streamed in (False, True)]))
