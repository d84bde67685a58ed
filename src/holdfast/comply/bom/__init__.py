"""What a model is made of, as a bill of materials that other tools read."""
