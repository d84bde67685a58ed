"""Backlog items and their journal, sprints, acceptances."""
