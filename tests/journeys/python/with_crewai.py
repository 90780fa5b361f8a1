"""CrewAI: an agent with a tool, over OpenAI's API, whole and streamed."""

import json
import sys

from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

address, key, model = sys.argv[1:]


@tool("weather")
def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def final_text(streamed: bool) -> str:
    """The final text of the crew."""
    llm = LLM(model=model, provider="openai", base_url=f"{address}/v1", api_key=key, stream=streamed)
    agent = Agent(role="forecaster", goal="know the weather", backstory="You know it.", tools=[weather], llm=llm, max_iter=5)
    task = Task(description="weather in Bern?", expected_output="the weather", agent=agent)
    return str(Crew(agents=[agent], tasks=[task], tracing=False).kickoff())


texts = [final_text(False), final_text(True)]
sys.stdout.write("\n" + json.dumps(texts))
