"""Mends for what vendors refuse in a body of OpenAI's chat dialect: each takes away or rewrites one thing, and names what is lost.

All work in place on the top level of a body and copy what they change below it (see `request_rules.Mend`).
"""
