"""Measurements side by side with rivals; each prints and writes the same JSON shape."""
