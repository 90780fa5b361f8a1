"""Parts of a conversation: composer, transcript, markdown, code."""
