"""The tests, in the same packages as the source; `fakes` are servers and clients to test with, `journeys` run whole processes."""
