"""What is done about an alert: playbooks, standing directives, and who is told."""
