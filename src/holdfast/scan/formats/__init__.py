"""One reader for each family of formats, loaded when a file of it is met."""
