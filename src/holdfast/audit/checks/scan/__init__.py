"""What an artifact contains."""
