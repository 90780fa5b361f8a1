"""What a request used and what it cost: metering, prices, and the settled record."""
