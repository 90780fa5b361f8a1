"""A long run of the headless gateway under mixed faults: `python -m tests.endurance`."""
