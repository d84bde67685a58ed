"""The trackers that Holdfast itself knows."""
