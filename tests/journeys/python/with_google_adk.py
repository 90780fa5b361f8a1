"""Google's Agent Development Kit: an agent with a tool, over Gemini's API and over LiteLLM; whole and streamed."""

import asyncio
import json
import os
import sys

address, key, model = sys.argv[1:]
os.environ.update(GOOGLE_API_KEY=key, GOOGLE_GEMINI_BASE_URL=address)

from google.adk.agents import Agent  # noqa: E402
from google.adk.agents.run_config import RunConfig, StreamingMode  # noqa: E402
from google.adk.models.google_llm import Gemini  # noqa: E402
from google.adk.models.lite_llm import LiteLlm  # noqa: E402
from google.adk.runners import InMemoryRunner  # noqa: E402
from google.genai import types  # noqa: E402


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


async def final_text(llm: object, mode: StreamingMode) -> str:
    """The final text of the agent."""
    agent = Agent(name="assistant", model=llm, instruction="Be brief.", tools=[weather])
    runner = InMemoryRunner(agent=agent, app_name="journey")
    session = await runner.session_service.create_session(app_name="journey", user_id="me")
    message = types.Content(role="user", parts=[types.Part(text="weather in Bern?")])
    text = ""
    run = runner.run_async(user_id="me", session_id=session.id, new_message=message, run_config=RunConfig(streaming_mode=mode))
    async for event in run:
        if event.is_final_response() and event.content and event.content.parts:
            text = "".join(part.text or "" for part in event.content.parts if not part.thought)
    await runner.close()
    return text


async def main() -> list[str]:
    """The final texts."""
    llms = (Gemini(model=model), LiteLlm(model=f"openai/{model}", api_base=f"{address}/v1", api_key=key))
    return [await final_text(llm, mode) for llm in llms for mode in (StreamingMode.NONE, StreamingMode.SSE)]


sys.stdout.write(json.dumps(asyncio.run(main())))
