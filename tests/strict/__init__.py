"""Requests drawn at random in every client dialect, crossed to every strict vendor, whole and streamed, in loops of tool calls."""
