"""Signs in text that a model file has no use for: credentials, addresses without protection, code that runs code.

Text is never run by reading it, so a sign asks for a look (review) and blocks nothing by itself. Only the kind and the
place of a credential are stated, never the credential.
"""

from __future__ import annotations

import re
from typing import Final

from holdfast.scan.inspect import Seen

MAX_TEXT: Final = 8 << 20


def _word(start: str, rest: str) -> re.Pattern[str]:
    """`start` at the beginning of a word, then `rest`. Literal text in front is what `re` finds quickly; \\b is not."""
    return re.compile(rf"{start}(?<!\w{start}){rest}")


# Whatever repeats has an end or cannot begin again within itself: a hostile text costs one pass.
_SECRETS: Final = {
    "AWS key id": _word(r"A[KS]IA", r"[0-9A-Z]{16}\b"),
    "AWS secret key": re.compile(r"(?i)aws_secret_access_key\W{1,5}[A-Za-z0-9/+]{40}\b"),
    "GitHub token": _word(r"gh[pousr]_", r"[A-Za-z0-9]{36,}\b"),
    "Hugging Face token": _word("hf_", r"[A-Za-z0-9]{30,}\b"),
    "API key": _word("sk-", r"[A-Za-z0-9_-]{20,}\b"),
    "Slack token": _word(r"xox[abprs]-", r"[A-Za-z0-9-]{10,}"),
    "Google API key": _word("AIza", r"[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])"),
    "Azure storage key": _word("AccountKey=", r"[A-Za-z0-9+/]{86}=="),
    "Azure shared access signature": re.compile(r"[?&]sig=[A-Za-z0-9%]{40,80}(?:%3D|=)"),
    "GitLab token": _word("glpat-", r"[A-Za-z0-9_-]{20,}"),
    "GitHub fine-grained token": _word("github_pat_", r"[A-Za-z0-9_]{60,}"),
    "PyPI token": _word("pypi-AgEIcHlwaS5vcmc", r"[A-Za-z0-9_-]{50,}"),
    "npm token": _word("npm_", r"[A-Za-z0-9]{36}\b"),
    "Databricks token": _word("dapi", r"[0-9a-f]{32}\b"),
    "payment key": _word(r"[rs]k_live_", r"[A-Za-z0-9]{20,}"),
    "private key": re.compile(r"-----BEGIN (?:[A-Z0-9]{1,20} )?PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d:"),
    "signed token": re.compile(r"eyJ(?<![\w-]eyJ)[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    "password in an address": re.compile(
        r"://(?<=[a-z0-9][a-z0-9+.-]://)[^\s:/@\"']{1,80}:[^\s/@\"']{1,80}@",
    ),
    "password": re.compile(r"(?i)passw(?:or)?d[\"']?\s{0,3}[:=]\s{0,3}[\"'][^\"'\s]{6,80}[\"']"),
}
_ADDRESS: Final = _word("http://", r"\d{1,3}(?:\.\d{1,3}){3}\b")
_OBFUSCATED: Final = re.compile(
    r"e(?:xec|val)(?<!\we...)\s{0,3}\(\s{0,3}[\w.]{0,60}(?:decode|decompress|loads)\w{0,20}\s{0,3}\("
)
_SCRIPTS: Final = {
    "script element": re.compile(r"(?i)<script[\s>]"),
    "script address": re.compile(r"(?i)javascript:(?<!\wjavascript:)\w"),
    "shell command": re.compile(r"\bos\.(?:system|popen)\s{0,3}\(|\bsubprocess\.\w{1,20}\s{0,3}\("),
    "pickle load": re.compile(r"\b(?:pickle|joblib|dill|cloudpickle)\.loads?\s{0,3}\("),
    "download run by a shell": re.compile(
        r"\b(?:curl|wget)\b(?:(?!\b(?:curl|wget)\b)[^\n|]){0,300}\|\s{0,5}(?:sudo\s{1,3})?(?:ba|z|da)?sh\b"
    ),
}


_HIDDEN: Final = ("obfuscated-code", {"exec of decoded text": _OBFUSCATED})


def read_signs(text: str, seen: Seen, *, member: str | None = None) -> None:
    """State credentials, addresses and scripts, each kind at its first place, in the first 8 MB of `text`."""
    part = text[:MAX_TEXT]
    for kind, table in (
        ("secret", _SECRETS),
        ("script", _SCRIPTS),
        ("plain-address", {"http by number": _ADDRESS}),
        _HIDDEN,
    ):
        for name, pattern in table.items():
            found = pattern.search(part)
            if found is not None:
                seen.add(kind, name, found.start(), member)
