"""AutoGen: an agent with a tool that reflects on its results, over chat and Anthropic's API, whole and streamed."""

import asyncio
import json
import sys

from autogen_agentchat.agents import AssistantAgent
from autogen_core.models import ModelFamily
from autogen_ext.models.anthropic import AnthropicChatCompletionClient
from autogen_ext.models.openai import OpenAIChatCompletionClient

address, key, model = sys.argv[1:]
info = {"vision": False, "function_calling": True, "json_output": True, "structured_output": True, "family": ModelFamily.UNKNOWN}


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


async def main() -> list[str]:
    """The final text of the agent."""
    texts = []
    for streamed in (False, True):
        clients = (
            OpenAIChatCompletionClient(model=model, base_url=f"{address}/v1", api_key=key, model_info=info, max_retries=0),
            AnthropicChatCompletionClient(model=model, base_url=address, api_key=key, model_info=info, max_retries=0),
        )
        for client in clients:
            agent = AssistantAgent(
                "assistant", client, tools=[weather], max_tool_iterations=5, reflect_on_tool_use=False, model_client_stream=streamed
            )
            texts.append((await agent.run(task="weather in Bern?")).messages[-1].content)
            await client.close()
    return texts


sys.stdout.write(json.dumps(asyncio.run(main())))
