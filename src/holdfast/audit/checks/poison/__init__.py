"""Checks of training rows: planted labels, triggers, copies and odd slices."""
