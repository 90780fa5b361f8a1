"""Errors of providers: their cause, when to retry, and errors inside a stream."""
