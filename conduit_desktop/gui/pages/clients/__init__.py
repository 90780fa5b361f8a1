"""The page of tools that can use the gateway."""
