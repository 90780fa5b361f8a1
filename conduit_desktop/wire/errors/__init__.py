"""What an upstream's error means: its reason, when to retry, and errors inside a stream."""
