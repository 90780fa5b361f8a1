"""pydantic-ai: an agent with a tool, over chat, Responses, Anthropic's and Google's API."""

import asyncio
import json
import sys

from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

address, key, model = sys.argv[1:]
openai = OpenAIProvider(base_url=f"{address}/v1", api_key=key)
models = [
    OpenAIChatModel(model, provider=openai),
    OpenAIResponsesModel(model, provider=openai),
    AnthropicModel(model, provider=AnthropicProvider(base_url=address, api_key=key)),
    GoogleModel(model, provider=GoogleProvider(base_url=address, api_key=key)),
]


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


async def main() -> list[str]:
    """The final text of the agent: whole, then streamed, with each model."""
    texts = []
    for each in models:
        agent = Agent(each, tools=[weather])
        texts.append((await agent.run("weather in Bern?")).output)
        async with agent.run_stream("weather in Bern?") as stream:
            texts.append(await stream.get_output())
    return texts


sys.stdout.write(json.dumps(asyncio.run(main())))
