"""A small simulated bank, to see Holdfast at work; one file per scene."""
