"""A scan as one page of HTML: verdicts, how far each file is explained, and every finding with its cause and fix."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from holdfast.core.domain import Fact
from holdfast.core.report.escape import html
from holdfast.core.report.page import page, state
from holdfast.core.report.words import counted, size
from holdfast.scan.again import additions_of
from holdfast.scan.pages import rule_page
from holdfast.scan.report import Coverage, FileReport
from holdfast.scan.rules import RULES, Hit, Rule, ScanVerdict

MAX_FILES: Final = 2_000
MAX_FINDINGS: Final = 100
"""Of one rule in one file."""
_ORDER: Final = tuple(reversed(ScanVerdict))
_NUMBERS: Final = dict.fromkeys(("files", "share", "size"), ' class="count"')
_STYLE: Final = """
.shares{display:block;width:100%;height:1.1rem;border-radius:.3rem}.bar{display:block;width:100%;height:.6rem;
min-width:6rem;margin:.4rem 0 .15rem}.swatch{width:.8rem;height:.8rem;margin-right:.45rem;vertical-align:-.05rem}
.fill-blocked{fill:var(--bad)}.fill-unknown{fill:var(--open)}.fill-review{fill:var(--note)}.fill-clean{fill:var(--good)}
.followed{fill:var(--plot-1)}.declared{fill:var(--plot-1);opacity:.45}.unread{fill:var(--bad)}
.totals{max-width:36rem}nav a{margin-right:1rem}.lines{fill:none;stroke:var(--line);stroke-width:1}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .8rem;margin:.25rem 0}dt{color:var(--soft)}
dd{margin:0}.finding{border-left:.25rem solid var(--line);padding-left:.8rem;margin:.7rem 0}
.finding.is-blocked{border-color:var(--bad)}.finding.is-unknown{border-color:var(--open)}
.finding.is-review{border-color:var(--note)}
.files td:nth-child(2){min-width:10rem}.files .explained{min-width:13rem}
@media(max-width:40rem){.files thead{position:absolute;clip-path:inset(50%);height:1px;overflow:hidden}
.files,.files tbody,.files tr,.files td{display:block}.files tr{border:1px solid var(--line);margin:.5rem 0;
padding:.4rem .6rem}.files td{border:0;padding:.1rem 0}.files .count{text-align:left}
.files td[data-name]{display:inline-block;margin-right:1rem}
.files td[data-name]::before{content:attr(data-name) " ";color:var(--soft)}}
"""


def picture(reports: Sequence[FileReport]) -> str:
    """The page. Colour repeats what a word or a number says and never says it alone."""
    worst = ScanVerdict.worst(report.verdict for report in reports)
    noted = [report for report in reports if report.hits or additions_of(report)]
    lines = [
        f"<h1>Scan: {state(worst)}</h1>",
        f"<p>{html(_totals(reports))}</p>",
        "<nav>",
        *(f'<a href="#{name.lower()}">{name}</a>' for name in ("Findings", "Files", *(["Rules"] if noted else []))),
        "</nav>",
        *_shares(reports),
        '<h2 id="findings">Findings</h2>',
    ]
    if not noted:
        lines.append("<p>None: every file is of a format that is understood, to its last byte.</p>")
    shown = sorted(noted, key=lambda report: -report.verdict.rank)[:MAX_FILES]
    for report in shown:
        lines += _file(report)
    lines += _left_out(len(noted) - len(shown))
    lines += _files(reports)
    lines += _rules({hit.rule for report in shown for hit in report.hits})
    return page(f"Holdfast scan: {worst}", lines, style=_STYLE)


def _totals(reports: Sequence[FileReport]) -> str:
    amount = size(sum(report.bytes for report in reports))
    spent = sum(report.inspect_ms for report in reports) / 1000, sum(report.hash_ms for report in reports) / 1000
    return (
        f"{counted(len(reports), 'file')}, {amount}. Inspecting took {spent[0]:.2f} s, hashing {spent[1]:.2f} s. "
        "Nothing in them was loaded or run."
    )


# -- how many files got which verdict


def _shares(reports: Sequence[FileReport]) -> Iterable[str]:
    counts = Counter(report.verdict for report in reports)
    total = max(1, len(reports))
    words = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in _ORDER if counts[verdict])
    yield f'<figure><svg class="shares" viewBox="0 0 {total} 1" preserveAspectRatio="none" role="img"'
    yield f' aria-label="Files by verdict: {html(words or "none")}">'
    at = 0
    for verdict in _ORDER:
        if counts[verdict]:
            yield f'<rect class="fill-{verdict}" x="{at}" y="0" width="{counts[verdict]}" height="1"/>'
            at += counts[verdict]
    yield f'</svg><div class="wide totals"><table>{_head("verdict", "files", "share", "size")}<tbody>'
    for verdict in _ORDER:
        amount = size(sum(report.bytes for report in reports if report.verdict is verdict))
        yield f"<tr><td>{_swatch(f'fill-{verdict}')}{state(verdict)}</td>"
        yield f'<td class="count">{counts[verdict]:,}</td><td class="count">{100 * counts[verdict] / total:.1f} %</td>'
        yield f'<td class="count">{amount}</td></tr>'
    yield "</tbody></table></div></figure>"


def _head(*names: str) -> str:
    cells = (f'<th scope="col" role="columnheader"{_NUMBERS.get(name, "")}>{name}</th>' for name in names)
    return f'<thead role="rowgroup"><tr role="row">{"".join(cells)}</tr></thead>'


def _swatch(kind: str) -> str:
    drawn = f'<rect class="{kind}" width="10" height="10"/>'
    return f'<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">{drawn}</svg>'


# -- what was found in one file


def _file(report: FileReport) -> Iterable[str]:
    yield f"<section><h3>{html(report.path)}: {state(report.verdict)}</h3>"
    digest = "" if report.sha256 is None else f", sha256 {report.sha256}"
    yield f'<p class="soft">{html(report.format)}, {size(report.bytes)}{html(digest)}</p>'
    for rule, hits in groupby(_by_rule(report.hits), key=lambda hit: hit.rule):
        yield from _finding(rule, list(hits))
    yield from _additions(additions_of(report))
    yield "</section>"


def _additions(facts: Sequence[Fact]) -> Iterable[str]:
    if facts:
        yield '<div class="finding is-review"><h4>judged with names that the site added</h4><ul>'
        yield from (f"<li><code>{html(fact.value, 400)}</code> ({html(fact.detail, 400)})</li>" for fact in facts)
        yield "</ul></div>"


def _by_rule(hits: Iterable[Hit]) -> list[Hit]:
    """Worst first, findings of one rule together."""
    return sorted(hits, key=lambda hit: (-hit.rule.verdict.rank, RULES.index(hit.rule)))


def _finding(rule: Rule, hits: list[Hit]) -> Iterable[str]:
    said = rule_page(rule.id)
    yield f'<div class="finding is-{rule.verdict}"><h4><a href="#{rule.id}">{rule.id}</a>: {html(rule.title)}</h4><ul>'
    yield from (f"<li>{_place(hit)}</li>" for hit in hits[:MAX_FINDINGS])
    if len(hits) > MAX_FINDINGS:
        yield f"<li>and {len(hits) - MAX_FINDINGS:,} more of this rule</li>"
    yield f"</ul><dl><dt>cause</dt><dd>{_words(said.means)}</dd><dt>fix</dt><dd>{_words(said.fix)} "
    yield f'<a href="#{rule.id}">an example</a></dd></dl></div>'


def _place(hit: Hit) -> str:
    fact = hit.fact
    words = f"<code>{html(fact.value, 400)}</code>"
    words += "" if fact.member is None else f" in <code>{html(fact.member, 400)}</code>"
    words += "" if fact.offset is None else f" at byte {fact.offset:,}"
    return words + ("" if fact.detail is None else f" ({html(fact.detail, 400)})")


# -- how far each file is explained


def _files(reports: Sequence[FileReport]) -> Iterable[str]:
    yield '<h2 id="files">Files</h2>'
    yield f'<p class="soft">{_swatch("followed")}bytes that were followed, {_swatch("declared")}skipped because a type '
    yield f"and a shape say how many there are, {_swatch('unread')}not explained.</p>"
    yield f'<table class="files" role="table">{_head("verdict", "file", "format", "size", "explained")}'
    yield '<tbody role="rowgroup">'
    shown = sorted(reports, key=lambda report: -report.verdict.rank)[:MAX_FILES]
    yield from (_row(report) for report in shown)
    yield "</tbody></table>"
    yield from _left_out(len(reports) - len(shown))


def _row(report: FileReport) -> str:
    """A row that says the names of its columns itself where the page is narrow and they are not shown."""
    cells = (
        ("", state(report.verdict)),
        ("", html(report.path)),
        (' data-name="format"', html(report.format)),
        (' data-name="size" class="count"', size(report.bytes)),
        (' class="explained"', _bar(report.coverage)),
    )
    return f'<tr role="row">{"".join(f"""<td role="cell"{more}>{cell}</td>""" for more, cell in cells)}</tr>'


def _bar(coverage: Coverage) -> str:
    """A bar of the file's bytes, and the same in words."""
    parts = (
        ("followed", coverage.parsed, "followed"),
        ("declared", coverage.skipped_by_shape, "by shape"),
        ("unread", coverage.unread, "not explained"),
    )
    total = sum(count for _, count, _ in parts)
    words = ", ".join(f"{size(count)} {name}" for _, count, name in parts if count) or "nothing in it"
    drawn, at = "", 0.0
    for kind, count, _ in parts if total else ():
        # What is not explained is seen, however little it is.
        wide = max(100 * count / total, 1.5 if kind == "unread" and count else 0.0)
        at = min(at, 100 - wide) if kind == "unread" else at
        drawn += f'<rect class="{kind}" x="{at:.2f}" y="0" width="{wide:.2f}" height="6"/>' if count else ""
        at += wide
    frame = '<rect class="lines" width="100" height="6"/>'
    return (
        f'<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">{drawn}{frame}</svg>'
        f"{html(words)}"
    )


def _left_out(count: int) -> Iterable[str]:
    if count > 0:
        yield f'<p class="soft">{counted(count, "more file")} not shown; --format json has them all.</p>'


# -- what the rules say


def _rules(rules: Iterable[Rule]) -> Iterable[str]:
    found = sorted(rules, key=RULES.index)
    if found:
        yield '<h2 id="rules">Rules</h2>'
    for rule in found:
        said = rule_page(rule.id)
        yield f'<section id="{rule.id}"><h3>{rule.id}: {html(rule.title)}</h3>'
        yield f'<p class="soft">{state(rule.verdict)}, {rule.technique}; <code>holdfast explain {rule.id}</code></p>'
        yield f"<p>{_words(said.means)} {_words(said.matters)}</p>"
        yield f"<h4>Refused</h4><pre>{_code(said.before)}</pre><h4>Passes</h4><p>{_words(said.fix)}</p>"
        yield f"<pre>{_code(said.after)}</pre></section>"


def _words(markdown: str) -> str:
    """A paragraph of our own pages, where code stands between backticks."""
    text = " ".join(markdown.split())
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html(text))


def _code(text: str) -> str:
    return "\n".join(html(line) for line in text.splitlines())
