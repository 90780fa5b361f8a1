"""Tables: one model, one view, their header and selection bar."""
