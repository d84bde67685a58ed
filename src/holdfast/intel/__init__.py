"""What others know: feeds, the identity of what they say, what it matches here, and what follows from it."""
