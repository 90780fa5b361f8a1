"""The HTTP door: the client API in every dialect on one port, and the operator's API beside it.

It reads requests, hands them to the gateway, and writes what comes back. It knows aiohttp and no rule of the house.
"""
