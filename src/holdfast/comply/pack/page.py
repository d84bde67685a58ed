"""The pack as one HTML file: no scripts, no outside parts, readable in light and dark and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from holdfast.comply.pack.document import Document, Section, Table
from holdfast.core.report.escape import html
from holdfast.core.report.plot import Plot

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#16191d;--soft:#4a525c;--page:#fff;--raised:#f4f6f8;--line:#c6ccd3;
--bad:#8a1c1c;--open:#6b4a00;--good:#1b5e20;--idle:#4a525c;--plot-page:#fff;--plot-ink:#111;--plot-text:#333;
--plot-grid:#ddd;--plot-limit:#8a1c1c;--plot-1:#1d4e89;--plot-2:#b3541e;--plot-3:#2e7d32;--plot-4:#6a1b9a}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#b3bac3;--page:#14171b;--raised:#1e2329;--line:#465059;
--bad:#ff9d9d;--open:#f2c572;--good:#9ad79f;--idle:#b3bac3;--plot-page:#1e2329;--plot-ink:#e8eaed;
--plot-text:#b3bac3;--plot-grid:#39424b;--plot-limit:#ff9d9d;--plot-1:#8db8e8;--plot-2:#e0a37f;--plot-3:#9ad79f;
--plot-4:#c9a5e0}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1.25rem;color:var(--ink);
background:var(--page)}
h1{font-size:1.8rem;margin:0 0 .5rem}h2{font-size:1.35rem;margin:2.5rem 0 .5rem;border-bottom:2px solid var(--line)}
h3{font-size:1.05rem;margin:1.75rem 0 .25rem}p{margin:.35rem 0;max-width:62rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:1rem 0}dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto}table{border-collapse:collapse;margin:.6rem 0;width:100%;font-size:.86rem}
th{background:var(--raised);font-weight:600}
td,th{border:1px solid var(--line);padding:.3rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}
.state{font-weight:600;white-space:nowrap}.failing,.missing{color:var(--bad)}.stale,.awaiting{color:var(--open)}
.satisfied{color:var(--good)}.not{color:var(--idle)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1rem}
figure{margin:0}svg{width:100%;height:auto;border:1px solid var(--line);border-radius:.3rem}
pre{background:var(--raised);border:1px solid var(--line);padding:.6rem;overflow-x:auto}
small,.soft{color:var(--soft)}nav a{color:inherit;margin-right:1rem}
@media print{.apart>h2{break-before:page}body{max-width:none;margin:0;font-size:10pt}h3,tr,figure{break-inside:avoid}
nav{display:none}thead{display:table-header-group}}
@page{size:A4;margin:16mm 14mm}
"""


def page(said: Document) -> str:
    """The page. Colour repeats what a word says and never says it alone."""
    title = f"{html(said.title)} as of {html(said.facts[0][1])}"
    lines = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body>",
        f"<header><h1>{html(said.title)}: {_state(said.state)}</h1><dl>",
        *(f"<dt>{html(name)}</dt><dd>{html(value)}</dd>" for name, value in said.facts),
        "</dl><nav>",
        *(f'<a href="#{_slug(one.title)}">{html(one.title)}</a>' for one in said.sections),
        "</nav></header><main>",
    ]
    for section in said.sections:
        lines += _section(section, 2)
    return "\n".join([*lines, "</main></body></html>", ""])


def _section(one: Section, level: int) -> Iterable[str]:
    anchor = f' id="{_slug(one.title)}"{" class=apart" if one.apart else ""}' if level == 2 else ""
    state = f": {_state(one.state)}" if one.state else ""
    yield f"<section{anchor}><h{level}>{html(one.title)}{state}</h{level}>"
    yield from (f"<p>{html(words)}</p>" for words in one.words)
    if one.plots:
        yield '<div class="plots">'
        for plot in one.plots:
            yield from _plot(plot)
        yield "</div>"
    for table in one.tables:
        yield from _table(table)
    yield from (f"<pre>{html(line)}</pre>" for line in one.code)
    for below in one.below:
        yield from _section(below, min(level + 1, 6))
    yield "</section>"


def _plot(plot: Plot) -> Iterable[str]:
    yield f"<figure>{plot.svg(themed=True)}"
    head, rows = plot.table()
    yield "<details><summary>The same numbers as a table</summary>"
    yield from _table(Table(head, rows, tuple(1.0 for _ in head)))
    yield "</details></figure>"


def _table(table: Table) -> Iterable[str]:
    total = sum(table.widths)
    yield '<div class="wide"><table><colgroup>'
    yield from (f'<col style="width:{100 * width / total:.1f}%">' for width in table.widths)
    heads = "".join(f'<th scope="col">{html(cell)}</th>' for cell in table.head)
    yield f"</colgroup><thead><tr>{heads}</tr></thead>"
    yield "<tbody>"
    for row in table.rows:
        cells = (_cell(cell, state=place == table.states) for place, cell in enumerate(row))
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"
    if table.left_out:
        yield f"<p><small>{html(table.left_out)}</small></p>"


def _cell(words: str, *, state: bool) -> str:
    return f"<td>{_state(words) if state else html(words)}</td>"


def _state(words: str) -> str:
    return f'<span class="state {html(words.partition(" ")[0])}">{html(words)}</span>'


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
