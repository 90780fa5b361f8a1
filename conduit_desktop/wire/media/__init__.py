"""The media endpoints, which are all besides chat: embeddings, images, audio, rerank, moderation."""
