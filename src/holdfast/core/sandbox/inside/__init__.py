"""What runs on the other side: standard library only, Python 3.8 and later; the caller shares `wire` and `versions`.

The caller starts the model's interpreter on `warden.main`. The warden builds the namespaces, forks the worker, and
watches it. The worker gives up every right it has, and only then receives the artifact.
"""
