"""Other projects' attacks on our targets, each behind its own package and judged as ours are."""
