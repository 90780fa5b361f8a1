"""asyncio loops that run on Qt's event loop."""
