"""What runs in the clients' own environment, each script alone: `script.py ADDRESS KEY MODEL` prints one line of JSON."""
