"""Builds what ships and checks each by installing and calling it: `python -m tools.artefacts wheel bundle deb image newcomer`."""
