"""Gemini's generateContent dialect."""
