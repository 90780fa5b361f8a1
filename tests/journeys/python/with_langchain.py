"""LangChain: an agent with a tool, over chat, Responses and Anthropic's API."""

import json
import sys

from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI

address, key, model = sys.argv[1:]


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def final_text(chat: object) -> str:
    """The final text of the agent."""
    state = create_agent(chat, tools=[weather]).invoke({"messages": [{"role": "user", "content": "weather in Bern?"}]})
    return state["messages"][-1].text


openai = {"model": model, "base_url": f"{address}/v1", "api_key": key, "max_retries": 0}
sys.stdout.write(
    json.dumps(
        [
            final_text(ChatOpenAI(**openai)),
            final_text(ChatOpenAI(**openai, streaming=True)),
            final_text(ChatOpenAI(**openai, use_responses_api=True)),
            final_text(ChatAnthropic(model=model, base_url=address, api_key=key, max_tokens=200, max_retries=0)),
            final_text(ChatAnthropic(model=model, base_url=address, api_key=key, max_tokens=200, max_retries=0, streaming=True)),
        ]
    )
)
