"""Artifacts read as data: what a file is, what a pickle would build, what a tree model computes."""
