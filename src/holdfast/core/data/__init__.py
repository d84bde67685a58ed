"""Data as columns: tables read from files, their profile, and how far one drifted from another.

Import from the modules: `table`, `profile`, `drift`. Nothing is imported here, so that `--help` stays fast.
"""
