"""Whether an endpoint can be slowed, broken or filled by what it is sent."""
