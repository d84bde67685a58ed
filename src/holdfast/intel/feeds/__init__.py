"""The formats that feeds come in, one file each."""
