"""OpenAI's Chat Completions dialect and the variants of its compatible vendors."""
