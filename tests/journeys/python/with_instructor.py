"""instructor: an object of a class, through a forced tool."""

import sys

import instructor
from openai import OpenAI
from pydantic import BaseModel

address, key, model = sys.argv[1:]


class Weather(BaseModel):
    """The weather in a city."""

    city: str
    degrees: int


client = instructor.from_openai(OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0))
talk = [{"role": "user", "content": "weather in Bern?"}]
found = client.chat.completions.create(model=model, messages=talk, response_model=Weather, max_retries=0)
sys.stdout.write(found.model_dump_json())
