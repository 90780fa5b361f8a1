"""The desktop door: draws what the house knows and asks for what the operator wants; it knows nothing by itself."""
