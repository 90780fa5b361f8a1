"""What real vendors refuse, as data (`rules.jsonl`), with the vendors that refuse it."""
