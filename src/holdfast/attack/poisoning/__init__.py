"""Poisoned training data from the attacker's side, and what a trained model tells about it."""
