"""The HTTP server: the client API in every dialect and the admin API, on one port.

It reads requests, gives them to the gateway, and writes the responses. It knows aiohttp, and holds no rule of admission or routing.
"""
