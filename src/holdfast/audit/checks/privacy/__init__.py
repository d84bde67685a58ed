"""What a model betrays of the people it was trained on."""
