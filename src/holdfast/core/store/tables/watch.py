"""Event segments, producers, detector states, campaigns, alerts."""
