"""How well a model can be copied by asking it."""
