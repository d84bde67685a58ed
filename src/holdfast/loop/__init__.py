"""The joints between rooms, one file per reaction."""
