"""The endpoints beside chat: embeddings, images, audio, rerank, moderation."""
