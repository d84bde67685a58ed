"""What an error answer tells about the inside: traces, file names, libraries, versions."""

from __future__ import annotations

import re

from holdfast.audit.checks.endpoint.wire import Reply

PATTERNS = {
    "stack trace": re.compile(
        r"Traceback \(most recent call last\)|File \"[^\"]+\", line \d+|\bat [\w.$]+\([\w.]+:\d+\)|goroutine \d+ \["
    ),
    "file name": re.compile(r"(?:[A-Za-z]:\\|/)(?:[\w .+-]+[\\/])+[\w.+-]+\.(?:py|pyc|so|dll|java|jar|js|go|rs|cpp)\b"),
    "library": re.compile(
        r"\b(?:xgboost|lightgbm|catboost|sklearn|numpy|pandas|onnxruntime|torch|tensorflow|pydantic|starlette|fastapi"
        r"|werkzeug|flask|django|springframework|java\.lang)\b",
        re.IGNORECASE,
    ),
    "exception": re.compile(r"\b[A-Z][A-Za-z]+(?:Error|Exception)\b\s*[:(]"),
}
_HEADERS = ("server", "x-powered-by", "x-aspnet-version")
_VERSION = re.compile(r"/\d|\d+\.\d+")


def leaks(reply: Reply) -> tuple[str, ...]:
    """Kinds of inner knowledge in an answer that refuses or fails; only kinds, never the text itself."""
    found = [] if reply.accepted else [kind for kind, pattern in PATTERNS.items() if pattern.search(reply.text)]
    return (*found, *(f"version in {name}" for name in _HEADERS if _VERSION.search(reply.headers.get(name, ""))))
