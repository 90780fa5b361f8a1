"""Values, events, errors, settings and the event bus that every other layer uses.

Nothing here does I/O or imports another layer of the package.
"""
