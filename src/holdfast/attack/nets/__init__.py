"""Attacks on neural nets and linear models: by their gradients, by a population, and by both."""
