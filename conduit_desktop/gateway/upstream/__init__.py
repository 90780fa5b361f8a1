"""Attempts at targets: the HTTP client, one attempt, failover over targets, translation, and the relay of the answer."""
