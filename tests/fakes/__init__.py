"""Small fakes of everything outside the process: vendors, clients, clock, keyring, recorded traffic."""
