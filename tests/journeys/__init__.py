"""End-to-end tests from outside: real processes and real SDKs, with a scripted vendor as upstream."""
