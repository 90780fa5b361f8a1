"""Ollama's own dialects: /api/chat and /api/generate."""
