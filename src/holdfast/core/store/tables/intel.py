"""Feeds, what they said, and under which names the same thing is known."""
