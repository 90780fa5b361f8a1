"""OpenAI's agents SDK: an agent with a tool, over chat, Responses, and Responses over a WebSocket; whole and streamed."""

import asyncio
import json
import sys

from agents import Agent, OpenAIProvider, RunConfig, Runner, function_tool, responses_websocket_session, set_tracing_disabled

address, key, model = sys.argv[1:]
set_tracing_disabled(True)


@function_tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


async def main() -> list[str]:
    """The final text of the agent, with each transport."""
    agent = Agent(name="weather", instructions="Be brief.", tools=[weather], model=model)
    texts = []
    for settings in ({"use_responses": False}, {"use_responses": True}):
        config = RunConfig(model_provider=OpenAIProvider(base_url=f"{address}/v1", api_key=key, **settings))
        texts.append((await Runner.run(agent, "weather in Bern?", run_config=config)).final_output)
        run = Runner.run_streamed(agent, "weather in Bern?", run_config=config)
        async for _ in run.stream_events():
            pass
        texts.append(run.final_output)
    async with responses_websocket_session(base_url=f"{address}/v1", api_key=key) as session:
        texts.append((await session.run(agent, "weather in Bern?")).final_output)
        run = session.run_streamed(agent, "weather in Bern?")
        async for _ in run.stream_events():
            pass
        texts.append(run.final_output)
    return texts


sys.stdout.write(json.dumps(asyncio.run(main())))
