"""The pack as PDF/A-2b, set by typst from our own template.

What comes from the store reaches the template as one JSON value and is placed as text, so that no letter of it is ever
read as markup, a path or code. Fonts are those inside typst, and the date is the pack's: equal packs are equal bytes.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, Final

import msgspec

from holdfast.comply.pack.document import Document, Section
from holdfast.core.errors import PrerequisiteError

STANDARD: Final = "a-2b"
MAX_JSON_BYTES: Final = 20_000_000


def paper(said: Document) -> bytes:
    """The PDF. Raises PrerequisiteError: typst is missing (HF-PRE-001) or refuses the document (HF-CPL-013)."""
    try:
        import typst
    except ModuleNotFoundError as fault:
        raise PrerequisiteError(
            "a PDF needs typst, which is not installed",
            cause="it is part of the extra 'report'",
            fix="pip install 'holdfast[report]', or leave the PDF out with --no-pdf",
            code="HF-PRE-001",
        ) from fault
    data = json.dumps(_plain(said), ensure_ascii=False)
    if len(data) > MAX_JSON_BYTES:
        raise _refused(f"the document has {len(data):,} characters; the limit is {MAX_JSON_BYTES:,}")
    template = (resources.files("holdfast.comply.pack") / "template.typ").read_bytes()
    try:
        made: bytes = typst.compile(
            template,
            format="pdf",
            sys_inputs={"pack": data},
            pdf_standards=STANDARD,
            ignore_system_fonts=True,
            timestamp=int(said.as_of.timestamp()),
        )
    except RuntimeError as fault:
        raise _refused(str(fault).splitlines()[0]) from fault
    return made


def _plain(said: Document) -> dict[str, Any]:
    return {
        "title": said.title,
        "state": said.state,
        "facts": msgspec.to_builtins(said.facts),
        "sections": [_section(one) for one in said.sections],
    }


def _section(one: Section) -> dict[str, Any]:
    return {
        "title": one.title,
        "state": one.state,
        "words": list(one.words),
        "code": list(one.code),
        "apart": one.apart,
        "plots": [{"svg": plot.svg(), "title": plot.title, "words": plot.description} for plot in one.plots],
        "tables": msgspec.to_builtins(one.tables),
        "below": [_section(below) for below in one.below],
    }


def _refused(cause: str) -> PrerequisiteError:
    return PrerequisiteError(
        "the PDF could not be set",
        cause=cause,
        fix="write the pack without it: --no-pdf",
        code="HF-CPL-013",
    )
