"""Checks on the endpoints that models answer at."""
