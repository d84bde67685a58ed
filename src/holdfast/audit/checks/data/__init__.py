"""What the model was made and is tested with."""
