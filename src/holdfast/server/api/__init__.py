"""The JSON API: a twin of every page and action, the alert stream, directives, and OpenAPI."""
