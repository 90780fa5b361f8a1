"""The first start: what is found on this machine, the demo, and client snippets."""
