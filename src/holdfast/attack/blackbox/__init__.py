"""Attacks that only ask: any function that predicts rows, be it a sandboxed model or an endpoint."""
