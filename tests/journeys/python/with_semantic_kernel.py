"""Semantic Kernel: functions called automatically, whole and streamed."""

import asyncio
import json
import sys

from openai import AsyncOpenAI
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.functions import kernel_function

address, key, model = sys.argv[1:]


class Weather:
    """A plug-in."""

    @kernel_function(name="weather", description="The weather in a city.")
    def weather(self, city: str) -> str:
        """The weather in a city."""
        return f"sunny in {city}"


async def main() -> list[str]:
    """The final text of the agent, whole and streamed."""
    client = AsyncOpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0)
    agent = ChatCompletionAgent(
        service=OpenAIChatCompletion(ai_model_id=model, async_client=client), name="assistant", plugins=[Weather()]
    )
    whole = str((await agent.get_response("weather in Bern?")).message)
    streamed = "".join([str(piece.message) async for piece in agent.invoke_stream("weather in Bern?")])
    return [whole, streamed]


sys.stdout.write(json.dumps(asyncio.run(main())))
