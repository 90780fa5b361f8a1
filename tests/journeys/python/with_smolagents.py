"""smolagents: an agent that calls tools, the last of which gives its final answer; with OpenAI's SDK and with LiteLLM."""

import json
import sys

from smolagents import LiteLLMModel, LogLevel, OpenAIServerModel, ToolCallingAgent, tool
from smolagents.models import REMOVE_PARAMETER

address, key, model = sys.argv[1:]


@tool
def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: its name
    """
    return f"sunny in {city}"


# It knows by the model's name which models take no `stop`; an alias hides the name.
settings = {"api_base": f"{address}/v1", "api_key": key, "stop": REMOVE_PARAMETER}
models = [OpenAIServerModel(model_id=model, **settings), LiteLLMModel(model_id=f"openai/{model}", **settings)]
texts = []
for each in models:
    for streamed in (False, True):
        agent = ToolCallingAgent(tools=[weather], model=each, verbosity_level=LogLevel.OFF, stream_outputs=streamed, max_steps=4)
        steps = list(agent.run("weather in Bern?", stream=True))
        assert steps[-1].output == "sunny", steps[-1]
        observed = [step.observations for step in agent.memory.steps if getattr(step, "observations", None)]
        texts.append("The tool said: " + " / ".join(observed[:2]))
sys.stdout.write("\n" + json.dumps(texts))
