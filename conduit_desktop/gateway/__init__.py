"""One request's way: identify, admit, route, ask, meter, settle.

`gateway.py` reads as that sentence; each step lives one file away. Nothing here knows HTTP servers, windows or SQL.
"""
