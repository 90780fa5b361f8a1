"""LlamaIndex: an agent with a tool."""

import asyncio
import json
import sys

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai_like import OpenAILike

address, key, model = sys.argv[1:]


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


async def final_text(streaming: bool) -> str:
    """The final text of the agent."""
    llm = OpenAILike(
        model=model, api_base=f"{address}/v1", api_key=key, is_chat_model=True, is_function_calling_model=True, max_retries=0
    )
    return str(await FunctionAgent(tools=[weather], llm=llm, streaming=streaming).run("weather in Bern?"))


sys.stdout.write(json.dumps([asyncio.run(final_text(False)), asyncio.run(final_text(True))]))
