"""What the model is built on."""
