"""Models at work: events taken in and kept, detectors, campaigns, alerts."""
