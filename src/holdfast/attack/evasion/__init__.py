"""Moving a row across the decision while it stays a row that could exist."""
