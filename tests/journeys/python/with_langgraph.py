"""LangGraph: a graph of a model and its tools, with a checkpoint after each step; over chat, Responses and Anthropic's API."""

import json
import sys

from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

address, key, model = sys.argv[1:]


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def final_text(chat: object, streamed: bool) -> str:
    """The final text of the graph."""
    bound = chat.bind_tools([weather])
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [bound.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([weather]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    runnable = graph.compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    start = {"messages": [{"role": "user", "content": "weather in Bern?"}]}
    if streamed:
        for _ in runnable.stream(start, config, stream_mode="messages"):
            pass
    else:
        runnable.invoke(start, config)
    return runnable.get_state(config).values["messages"][-1].text


openai = {"model": model, "base_url": f"{address}/v1", "api_key": key, "max_retries": 0}
chats = [
    ChatOpenAI(**openai),
    ChatOpenAI(**openai, use_responses_api=True),
    ChatAnthropic(model=model, base_url=address, api_key=key, max_tokens=200, max_retries=0),
]
sys.stdout.write(json.dumps([final_text(chat, streamed) for chat in chats for streamed in (False, True)]))
