"""Holdfast keeps AI models secure while both the models and the threats keep changing."""

__version__ = "0.1.0"
