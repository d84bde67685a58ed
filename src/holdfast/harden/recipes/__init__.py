"""Every recipe Holdfast ships, one file each."""
