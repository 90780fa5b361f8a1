"""The tests, room by room as the source is; `fakes` stands in for the outside, `journeys` go the whole way."""
