"""dspy: calls of a tool that the model writes as text, over chat and Responses."""

import json
import sys

import dspy

address, key, model = sys.argv[1:]


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def final_text(**settings: str) -> str:
    """The final text of the agent."""
    lm = dspy.LM(f"openai/{model}", api_base=f"{address}/v1", api_key=key, cache=False, num_retries=0, **settings)
    with dspy.context(lm=lm):
        found = dspy.ReAct("question -> answer", tools=[weather], max_iters=4)(question="weather in Bern?")
    observed = [found.trajectory[name] for name in sorted(found.trajectory) if name.startswith("observation_")]
    assert found.answer == "sunny", found
    return "The tool said: " + " / ".join(observed[:2])


sys.stdout.write(json.dumps([final_text(model_type=kind) for kind in ("chat", "responses")]))
