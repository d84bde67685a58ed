"""Running a model that must run: in another process, under its own interpreter, behind walls.

Import from the modules: `sandbox`, `limits`, `answer`. Nothing is imported here, so that `--help` stays fast.
"""
