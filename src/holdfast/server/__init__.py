"""The console and the API: what the rooms know, over HTTP."""
