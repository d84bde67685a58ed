"""Training of models like those under test: by hardening, and by attacks that need shadows of a model."""
