"""Small stand-ins for what is outside the house: a vendor, a clock, a keyring, recorded traffic."""
