"""Health of targets and credentials: circuit breakers, cooldowns, disabled credentials, and what survives a restart."""
