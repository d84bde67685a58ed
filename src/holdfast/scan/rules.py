"""What a fact means: the one place where facts become a verdict, so that stored facts can be judged again.

A rule names a fact kind and, for names, how the allowlist knows them. Nothing here looks at a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from holdfast.core.domain import Fact
from holdfast.scan.allowlist import Allowlist, Standing
from holdfast.scan.allowlist.operators import operators

EXECUTION: Final = "AML.T0011.000"
"""ATLAS: User Execution, Unsafe AI Artifacts."""
SUPPLY: Final = "AML.T0010.003"
"""ATLAS: AI Supply Chain Compromise, Model."""
SOFTWARE: Final = "AML.T0010.001"
"""ATLAS: AI Supply Chain Compromise, AI Software."""
DENIAL: Final = "AML.T0029"
"""ATLAS: Denial of AI Service."""


class ScanVerdict(StrEnum):
    """In order of severity; the worst fact decides."""

    CLEAN = "clean"
    REVIEW = "review"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"

    @property
    def rank(self) -> int:
        return list(type(self)).index(self)

    @classmethod
    def worst(cls, verdicts: Iterable[ScanVerdict]) -> ScanVerdict:
        """The most severe of them; clean where there is none."""
        return max(verdicts, key=lambda verdict: verdict.rank, default=cls.CLEAN)


Condition = Callable[[Fact, Allowlist], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """One way a fact counts. `page` is the row of docs/scan.md that explains it."""

    id: str
    kind: str
    verdict: ScanVerdict
    title: str
    technique: str
    when: Condition | None = None

    @property
    def page(self) -> str:
        return f"scan#{self.id}"


@dataclass(frozen=True, slots=True)
class Hit:
    """A fact that a rule holds against the file."""

    rule: Rule
    fact: Fact


def _is(standing: Standing) -> Condition:
    return lambda fact, names: names.standing(str(fact.value)) is standing


def _used(modes: str, standing: Standing) -> Condition:
    """The name is used in a way its modes do not allow."""

    def check(fact: Fact, names: Allowlist) -> bool:
        mode = names.mode(str(fact.value))
        return mode not in tuple(modes) and names.standing(str(fact.value)) is standing

    return check


def _handed(fact: Fact, names: Allowlist) -> bool:
    """A function that calls its arguments is handed a name that may not be called.

    Neither may a class that is only instantiated without `__init__`: calling it runs just that, and a partial does so
    later.
    """
    mode = names.mode(str(fact.value))
    if fact.detail == "functools.partial":
        return mode == "n"
    return names.mode(str(fact.detail)) == "h" and mode not in tuple("chd")


def _nested(fact: Fact, names: Allowlist) -> bool:
    return str(fact.value) not in names.nested


def _named(*values: str) -> Condition:
    return lambda fact, _: str(fact.value) in values


BLOCKED, UNKNOWN, REVIEW = ScanVerdict.BLOCKED, ScanVerdict.UNKNOWN, ScanVerdict.REVIEW

RULES: Final[tuple[Rule, ...]] = (
    Rule("import-denied", "import", BLOCKED, "imports a name that no model needs", EXECUTION, _is(Standing.DENIED)),
    Rule(
        "import-unlisted", "import", UNKNOWN, "imports from a package nobody examined", EXECUTION, _is(Standing.UNKNOWN)
    ),
    Rule("import-hidden", "indirect-import", BLOCKED, "imports a name in disguise", EXECUTION, _is(Standing.DENIED)),
    Rule(
        "import-hidden-unlisted",
        "indirect-import",
        UNKNOWN,
        "imports in disguise from a package nobody examined",
        EXECUTION,
        _is(Standing.UNKNOWN),
    ),
    Rule("import-shadow", "shadow-import", BLOCKED, "array bytes that a plain unpickler would run", EXECUTION),
    Rule("name-dotted", "dotted-name", BLOCKED, "reaches through a name to its attributes", EXECUTION, _nested),
    Rule("name-computed", "computed-name", BLOCKED, "imports a name it computes", EXECUTION),
    Rule(
        "call-refused",
        "call",
        BLOCKED,
        "calls what may only be kept as a value",
        EXECUTION,
        _used("chrd", Standing.LISTED),
    ),
    Rule("call-denied", "call", BLOCKED, "calls a name that no model needs", EXECUTION, _is(Standing.DENIED)),
    Rule("call-unlisted", "call", UNKNOWN, "calls into a package nobody examined", EXECUTION, _is(Standing.UNKNOWN)),
    Rule("call-computed", "computed-call", BLOCKED, "calls something it computes", EXECUTION),
    Rule("call-argument", "argument", BLOCKED, "hands a name to a function that would call it", EXECUTION, _handed),
    Rule(
        "new-refused",
        "construct",
        BLOCKED,
        "instantiates what is no class of a model",
        EXECUTION,
        _used("chnrd", Standing.LISTED),
    ),
    Rule(
        "new-denied", "construct", BLOCKED, "instantiates a class that no model needs", EXECUTION, _is(Standing.DENIED)
    ),
    Rule(
        "new-unlisted", "construct", UNKNOWN, "instantiates a class nobody examined", EXECUTION, _is(Standing.UNKNOWN)
    ),
    Rule("state-dunder", "dunder-state", BLOCKED, "sets a special attribute of an object", EXECUTION),
    Rule("state-computed", "computed-state", UNKNOWN, "sets attributes whose names it computes", EXECUTION),
    Rule("global-changed", "global-changed", BLOCKED, "changes an imported class, function or module", EXECUTION),
    Rule("persistent-id", "persistent-id", UNKNOWN, "needs a loader of its own", SUPPLY),
    Rule("extension", "extension", UNKNOWN, "uses the process's extension registry", EXECUTION),
    Rule("out-of-band", "out-of-band", UNKNOWN, "needs bytes that are not in the file", SUPPLY),
    Rule("yaml-tag", "yaml-tag", BLOCKED, "tells a YAML loader to make Python objects", EXECUTION),
    Rule("template-reach", "template-reach", BLOCKED, "renders a template that reaches beyond its text", EXECUTION),
    Rule("template-unread", "template-unread", UNKNOWN, "holds a template that cannot be read", EXECUTION),
    Rule("xml-entity", "xml-entity", BLOCKED, "makes an XML parser open files or unfold", SUPPLY),
    Rule("xml-doctype", "xml-doctype", REVIEW, "declares a document type of its own", SUPPLY),
    Rule(
        "loader-module",
        "loader-module",
        BLOCKED,
        "has itself loaded by a module that loads no models",
        EXECUTION,
        lambda fact, names: names.standing(str(fact.value)) is not Standing.UNKNOWN,
    ),
    Rule(
        "loader-module-unlisted",
        "loader-module",
        UNKNOWN,
        "has itself loaded by a module nobody examined",
        EXECUTION,
        lambda fact, names: names.standing(str(fact.value)) is Standing.UNKNOWN,
    ),
    Rule("part-missing", "part-missing", UNKNOWN, "names a file that is not there", SUPPLY),
    Rule(
        "part-blocked", "part-verdict", BLOCKED, "is loaded with a file that is blocked", EXECUTION, _named("blocked")
    ),
    Rule("part-unknown", "part-verdict", UNKNOWN, "is loaded with a file nobody can judge", SUPPLY, _named("unknown")),
    Rule("part-review", "part-verdict", REVIEW, "is loaded with a file to be looked at", SUPPLY, _named("review")),
    Rule("obfuscated-code", "obfuscated-code", BLOCKED, "runs code that it decodes first", EXECUTION),
    Rule("native-library", "native-library", UNKNOWN, "needs a native library of its own", SUPPLY),
    Rule("remote-code", "remote-code", REVIEW, "names code that a loader would fetch or run", SUPPLY),
    Rule("secret", "secret", REVIEW, "holds a credential", SUPPLY),
    Rule("script", "script", REVIEW, "holds code as text that runs code", SUPPLY),
    Rule("plain-address", "plain-address", REVIEW, "points to a machine by number, without protection", SUPPLY),
    Rule("expansion", "expansion", UNKNOWN, "unfolds without end", DENIAL),
    Rule("memo-gap", "memo-gap", UNKNOWN, "makes the loader allocate memory for nothing", DENIAL),
    Rule("malformed", "malformed", UNKNOWN, "does not follow its format", SUPPLY),
    Rule("truncated", "truncated", UNKNOWN, "ends too early", SUPPLY),
    Rule("trailing-bytes", "trailing-bytes", UNKNOWN, "holds bytes behind its end", SUPPLY),
    Rule("budget", "budget", UNKNOWN, "is larger than the scan's budget", DENIAL),
    Rule("bomb", "bomb", BLOCKED, "unpacks to far more than its size", DENIAL),
    Rule("zip-mismatch", "zip-mismatch", BLOCKED, "says two different things to two readers", SUPPLY),
    Rule("zip-duplicate", "zip-duplicate", BLOCKED, "holds two members of one name", SUPPLY),
    Rule("zip-gap", "zip-gap", UNKNOWN, "holds bytes that no member names", SUPPLY),
    Rule("polyglot", "polyglot", UNKNOWN, "is two formats at once", SUPPLY),
    Rule("path-escape", "path-escape", BLOCKED, "names a path outside of its own folder", SUPPLY),
    Rule("link", "link", BLOCKED, "holds a link that unpacking would follow", SUPPLY),
    Rule("link-outside", "link-outside", UNKNOWN, "is a link to outside of the scanned folder", SUPPLY),
    Rule("encrypted", "encrypted", UNKNOWN, "is encrypted", SUPPLY),
    Rule("unsupported", "unsupported", UNKNOWN, "is of a format this version does not read", SUPPLY),
    Rule("unreadable", "unreadable", UNKNOWN, "cannot be opened", SUPPLY),
    Rule("special-file", "special-file", UNKNOWN, "is a device, a pipe or a socket", SUPPLY),
    Rule("executable", "executable", REVIEW, "holds a program", SUPPLY),
    Rule("external-data", "external-data", BLOCKED, "reads a file outside of its own folder", SUPPLY),
    Rule(
        "code-operator",
        "operator-domain",
        BLOCKED,
        "runs Python code as an operator",
        EXECUTION,
        _named("ai.onnx.contrib.PyOp", "ai.onnx.contrib.PythonOp", "ai.onnx.python.PyOp"),
    ),
    Rule(
        "custom-operator",
        "operator-domain",
        UNKNOWN,
        "needs a native library of its own",
        SUPPLY,
        lambda fact, _: not str(fact.value).endswith((".PyOp", ".PythonOp")),
    ),
    Rule(
        "tensorflow-reach",
        "tensorflow-operator",
        BLOCKED,
        "opens files or runs Python from its graph",
        EXECUTION,
        lambda fact, _: str(fact.value) in operators()[1],
    ),
    Rule(
        "tensorflow-custom",
        "tensorflow-operator",
        UNKNOWN,
        "needs an operator that is not one of TensorFlow's numerical ones",
        SUPPLY,
        lambda fact, _: not any(str(fact.value) in group for group in operators()),
    ),
    Rule("keras-code", "keras-code", BLOCKED, "holds a layer that runs code of its own", EXECUTION),
    Rule("keras-file", "keras-file", BLOCKED, "has a layer that opens a file it names", SUPPLY),
    Rule("keras-custom", "keras-custom", UNKNOWN, "needs a class of somebody's own", SUPPLY),
    Rule("r-code", "r-code", BLOCKED, "holds R code or a session's own objects", EXECUTION),
    Rule("r-language", "r-language", REVIEW, "holds R expressions", EXECUTION),
    Rule("script-operator", "script-operator", BLOCKED, "opens files from its compiled code", EXECUTION),
    Rule("download-run", "download-run", BLOCKED, "builds an image that runs what it downloads", SUPPLY),
    Rule("unpinned", "unpinned", REVIEW, "asks for whatever version is newest", SUPPLY),
    Rule("lookalike", "lookalike", REVIEW, "names a package that looks like a well-known one", SOFTWARE),
    Rule("foreign-name", "foreign-name", BLOCKED, "names a package in letters that no index allows", SOFTWARE),
)
"""Every rule. The order is that of the documentation, not of importance."""


def judge(facts: Iterable[Fact], names: Allowlist | None = None) -> tuple[Hit, ...]:
    """The rules that hold against a file with these facts, worst first. None means clean."""
    known = names or Allowlist.builtin()
    hits = [
        Hit(rule, fact)
        for fact in facts
        for rule in _BY_KIND.get(fact.kind, ())
        if rule.when is None or rule.when(fact, known)
    ]
    return tuple(sorted(hits, key=lambda hit: -hit.rule.verdict.rank))


def verdict_of(hits: Iterable[Hit]) -> ScanVerdict:
    """The verdict of the worst hit."""
    return ScanVerdict.worst(hit.rule.verdict for hit in hits)


_BY_KIND: Final = {kind: tuple(rule for rule in RULES if rule.kind == kind) for kind in {rule.kind for rule in RULES}}
