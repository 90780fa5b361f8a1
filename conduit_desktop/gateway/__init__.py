"""The request pipeline: identify, admit, route, attempt, meter, settle.

`gateway.py` reads as that sentence; each step lives one file away. Nothing here knows HTTP servers, windows or SQL.
"""
