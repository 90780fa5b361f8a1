"""The page of IP rules."""
