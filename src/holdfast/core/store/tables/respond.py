"""Runs of playbooks and what sinks still owe."""
