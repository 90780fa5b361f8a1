"""Values, events, errors, settings and the bus: the words every other room uses.

Nothing here does I/O or imports another room.
"""
