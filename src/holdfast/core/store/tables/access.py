"""Users, their tokens and sessions."""
