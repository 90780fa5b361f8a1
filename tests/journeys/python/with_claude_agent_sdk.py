"""Claude's agent SDK: its command line, with a tool of this process; whole messages, then also each event of the stream."""

import asyncio
import json
import sys

from claude_agent_sdk import ClaudeAgentOptions, ResultMessage, StreamEvent, create_sdk_mcp_server, query, tool

address, key, model = sys.argv[1:]


@tool("weather", "The weather in a city.", {"city": str})
async def weather(arguments: dict) -> dict:
    """The weather in a city."""
    return {"content": [{"type": "text", "text": f"sunny in {arguments['city']}"}]}


async def final_text(streamed: bool) -> str:
    """The final text of the agent."""
    names = ("ANTHROPIC_MODEL", "ANTHROPIC_SMALL_FAST_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL")
    options = ClaudeAgentOptions(
        model=model,
        mcp_servers={"here": create_sdk_mcp_server("here", tools=[weather])},
        allowed_tools=["mcp__here__weather"],
        include_partial_messages=streamed,
        env={
            "ANTHROPIC_BASE_URL": address,
            "ANTHROPIC_AUTH_TOKEN": key,
            "ENABLE_TOOL_SEARCH": "false",
            **dict.fromkeys(names, model),
        },
    )
    text, events = "", 0
    async for message in query(prompt="weather in Bern?", options=options):
        events += isinstance(message, StreamEvent)
        if isinstance(message, ResultMessage):
            text = str(message.result)
    assert (events > 0) == streamed
    return text


sys.stdout.write(json.dumps([asyncio.run(final_text(streamed)) for streamed in (False, True)]))
