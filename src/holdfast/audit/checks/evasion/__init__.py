"""Whether flagged inputs can be moved until they pass."""
