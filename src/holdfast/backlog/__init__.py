"""Findings as work: ranked with reasons, planned in sprints, closed only by proof."""
