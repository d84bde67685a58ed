"""Compiled search over trees: bins and rule rows in, moved rows out. Import from the modules."""
