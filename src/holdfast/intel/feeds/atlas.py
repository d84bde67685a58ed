"""MITRE ATLAS as YAML: the matrix form up to 5.x, and the normalised form of 6 with first-class relationships.

Techniques are known by their ATLAS id alone: the STIX ids of the same techniques have changed with most releases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import Any, Final

from holdfast.core.documents import Document as Yaml
from holdfast.core.domain.advisory import Technique
from holdfast.core.domain.intelligence import TECHNIQUE
from holdfast.core.domain.severity import Severity
from holdfast.core.errors import DataError
from holdfast.intel.faults import malformed
from holdfast.intel.interface import MAX_TITLE, Context, Document, Reading, Statement, Unreadable, feed

_TECHNIQUE: Final = re.compile(r"AML\.T\d{4}(\.\d{3})?")
_TACTIC: Final = re.compile(r"AML\.TA\d{4}")
_MITIGATION: Final = re.compile(r"AML\.M\d{4}")
SEVERITY: Final = {"realized": Severity.HIGH, "demonstrated": Severity.MEDIUM, "feasible": Severity.LOW}
MAX_SUMMARY: Final = 300
MAX_LINKS: Final = 200
Entry = Mapping[str, Any]


@feed("atlas", says="MITRE ATLAS YAML, forms 5 and 6", gives=(TECHNIQUE,))
def read(documents: Iterator[Document], context: Context) -> Reading:  # noqa: ARG001
    """One technique per ATLAS id. Raises DataError where a document holds none."""
    found: dict[str, Statement | Unreadable] = {}
    for document in documents:
        found.update(_of(document))
    return Reading([found[key] for key in sorted(found)], complete=True)


def _of(document: Document) -> dict[str, Statement | Unreadable]:
    try:
        text = document.data.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise malformed(document.name, f"it is not UTF-8 text (byte {fault.start})") from fault
    value = Yaml.parse(text, document.name, error=DataError, code="HF-INT").value
    entries = list(_entries(value, 0))
    techniques = [entry for entry in entries if _TECHNIQUE.fullmatch(str(entry.get("id", "")))]
    if not techniques:
        raise malformed(document.name, "it names no technique of the form AML.T0000")
    links = _links(value, entries)
    return {str(entry["id"]): _statement(entry, links.get(str(entry["id"]), _Links())) for entry in techniques}


def _entries(value: Any, depth: int) -> Iterator[Entry]:
    """Every object with an id and a name, wherever the form keeps it; a mapping by id gives its keys as ids."""
    if depth > 4:
        return
    if isinstance(value, list):
        for item in value:
            yield from _entries(item, depth + 1)
    elif isinstance(value, dict):
        if "id" in value and "name" in value:
            yield value
        for key, item in value.items():
            if isinstance(item, dict) and "id" not in item and "name" in item and key.startswith("AML."):
                yield {"id": key, **item}
            elif isinstance(item, dict | list):
                yield from _entries(item, depth + 1)


class _Links:
    """What relates to one technique."""

    def __init__(self) -> None:
        self.parent: str | None = None
        self.tactics: set[str] = set()
        self.mitigations: set[str] = set()


def _links(value: Any, entries: list[Entry]) -> dict[str, _Links]:
    """Form 6 states relationships by themselves; in form 5 mitigations list their techniques."""
    found: dict[str, _Links] = {}
    for entry in entries:
        if _MITIGATION.fullmatch(str(entry.get("id", ""))):
            for target in _listed(entry.get("techniques")):
                found.setdefault(target, _Links()).mitigations.add(str(entry["id"]))
    for relation in _relations(value):
        _relate(found, *relation)
    return found


def _relations(value: Any) -> Iterator[tuple[str, str]]:
    """Source and target of every relationship; what they are is told by their ids."""
    listed = value.get("relationships", ()) if isinstance(value, dict) else ()
    for one in listed.values() if isinstance(listed, dict) else listed if isinstance(listed, list) else ():
        if isinstance(one, dict):
            source = one.get("source", one.get("source_id", one.get("from")))
            target = one.get("target", one.get("target_id", one.get("to")))
            yield str(source), str(target)


def _relate(found: dict[str, _Links], source: str, target: str) -> None:
    if _TECHNIQUE.fullmatch(source) and _TECHNIQUE.fullmatch(target) and source.startswith(f"{target}."):
        found.setdefault(source, _Links()).parent = target
    elif _TECHNIQUE.fullmatch(source) and _TACTIC.fullmatch(target):
        found.setdefault(source, _Links()).tactics.add(target)
    elif _MITIGATION.fullmatch(source) and _TECHNIQUE.fullmatch(target):
        found.setdefault(target, _Links()).mitigations.add(source)


def _statement(entry: Entry, links: _Links) -> Statement | Unreadable:
    name, summary = entry.get("name"), entry.get("description") or ""
    if not isinstance(name, str) or not isinstance(summary, str):
        return Unreadable(str(entry["id"]), "its name or description is no text")
    maturity = entry.get("maturity")
    technique = Technique(
        str(entry["id"]),
        name[:MAX_TITLE],
        _first_sentence(summary),
        _parent(entry, links),
        tuple(sorted({*_listed(entry.get("tactics")), *links.tactics})[:MAX_LINKS]),
        maturity if isinstance(maturity, str) and maturity in SEVERITY else None,
        tuple(sorted(_words(entry.get("platforms")))),
        tuple(sorted(links.mitigations)[:MAX_LINKS]),
    )
    severity = SEVERITY.get(technique.maturity or "", Severity.INFO)
    return Statement(technique.id, technique, technique.name, severity, _day(entry.get("modified_date")))


def _parent(entry: Entry, links: _Links) -> str | None:
    """As stated, or as the id says: AML.T0010.001 refines AML.T0010."""
    stated = entry.get("subtechnique-of", entry.get("subtechnique_of", links.parent))
    own = str(entry["id"])
    return str(stated) if stated else (own.rpartition(".")[0] if own.count(".") == 2 else None)


def _listed(value: Any) -> list[str]:
    """Ids in a list of ids or of objects with an id."""
    items = value if isinstance(value, list) else []
    ids = (str(item.get("id", "")) if isinstance(item, dict) else str(item) for item in items[:MAX_LINKS])
    return [one for one in ids if one.startswith("AML.")]


def _words(value: Any) -> set[str]:
    return {item[:60] for item in value[:20] if isinstance(item, str)} if isinstance(value, list) else set()


def _first_sentence(text: str) -> str:
    plain = re.sub(r"\[([^\]]{0,200})\]\([^)]{0,300}\)", r"\1", " ".join(text[:4000].split()))
    return plain.partition(". ")[0][:MAX_SUMMARY]


def _day(value: Any) -> datetime:
    try:
        day = value if isinstance(value, date) else date.fromisoformat(str(value)[:10])
    except ValueError:
        day = date(1970, 1, 1)
    return datetime.combine(date(day.year, day.month, day.day), time(), UTC)
