"""The foundation every room stands on."""
