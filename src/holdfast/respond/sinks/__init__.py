"""The kinds of sinks that ship inside, one file each."""
