"""Checks observe models and what they touch; the reconciler runs those whose observations are missing."""
