"""Public helpers for tests and trials: simulated bank tables."""
