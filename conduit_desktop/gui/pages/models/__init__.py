"""The page of model aliases."""
