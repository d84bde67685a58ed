"""Checks of how a model came to be."""
