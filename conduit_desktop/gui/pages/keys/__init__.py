"""The page of virtual keys."""
