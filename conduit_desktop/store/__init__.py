"""What one home folder persists: configuration, request records and totals, payloads, secrets, backups, the lock, logs.

`interface` declares what the gateway and the actions need; `sqlite` implements it; `secrets` keeps credentials apart.
"""
