"""How well a model can be copied by asking it, at a given number of questions."""
