"""Requests drawn at random in every client dialect, sent to every strict vendor, whole and streamed, in loops of tool calls."""
