"""Models trained again so that they resist evasion, and the proof that they do."""
