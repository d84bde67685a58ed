"""Licences: SPDX expressions, what they ask for, and where packages and models state them."""
