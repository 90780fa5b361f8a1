"""The embedded store: configuration, records and totals in SQLite."""
