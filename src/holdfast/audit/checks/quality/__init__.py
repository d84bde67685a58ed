"""How well the model does its work."""
