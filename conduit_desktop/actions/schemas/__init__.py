"""The pydantic models of what operators send and see."""
