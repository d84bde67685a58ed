"""The frame of reports that are one HTML file: no scripts, nothing from elsewhere, light and dark, narrow and wide.

The page forbids by its own policy what it does not need: it may apply its one style sheet and nothing else. So no part
of it may carry a `style` attribute; colours and sizes come from classes, and pictures are SVG in the page.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from holdfast.core.report.escape import html
from holdfast.core.report.plot import Plot

STYLE: Final = """
:root{color-scheme:light dark;--ink:#16191d;--soft:#4a525c;--page:#fff;--raised:#f4f6f8;--line:#c6ccd3;--link:#1d4e89;
--bad:#8a1c1c;--open:#6b4a00;--note:#1d4e89;--good:#1b5e20;--plot-page:#fff;--plot-ink:#111;--plot-text:#333;
--plot-grid:#ddd;--plot-limit:#8a1c1c;--plot-1:#1d4e89;--plot-2:#b3541e;--plot-3:#2e7d32;--plot-4:#6a1b9a}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#b3bac3;--page:#14171b;--raised:#1e2329;--line:#465059;
--link:#9cc4f0;--bad:#ff9d9d;--open:#f2c572;--note:#9cc4f0;--good:#9ad79f;--plot-page:#1e2329;--plot-ink:#e8eaed;
--plot-text:#b3bac3;--plot-grid:#39424b;--plot-limit:#ff9d9d;--plot-1:#8db8e8;--plot-2:#e0a37f;--plot-3:#9ad79f;
--plot-4:#c9a5e0}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1.25rem;color:var(--ink);
background:var(--page);overflow-wrap:anywhere}
h1{font-size:1.8rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.35rem;margin:2.25rem 0 .75rem;padding-bottom:.2rem;border-bottom:2px solid var(--line)}
h3{font-size:1.05rem;margin:1.5rem 0 .25rem}h4{font-size:.95rem;margin:.9rem 0 .15rem}
p{margin:.35rem 0;max-width:62rem}a{color:var(--link)}ul{margin:.25rem 0;padding-left:1.25rem}
.wide{overflow-x:auto}table{border-collapse:collapse;margin:.6rem 0;width:100%;font-size:.88rem}
th{background:var(--raised);font-weight:600;white-space:nowrap}
td,th{border:1px solid var(--line);padding:.35rem .55rem;text-align:left;vertical-align:top}
.count{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;overflow-wrap:normal}
.state{font-weight:600;white-space:nowrap}.failed,.blocked{color:var(--bad)}.unknown{color:var(--open)}
.review{color:var(--note)}.passed,.clean{color:var(--good)}
figure{margin:.75rem 0}.plot{overflow-x:auto;max-width:44rem}
.plot svg{display:block;width:100%;min-width:32rem;height:auto;border:1px solid var(--line);border-radius:.3rem}
pre,code{font:.92em/1.45 ui-monospace,Menlo,Consolas,monospace}
pre{background:var(--raised);border:1px solid var(--line);border-radius:.3rem;padding:.6rem;white-space:pre-wrap}
summary{cursor:pointer;color:var(--soft)}small,.soft{color:var(--soft)}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
@media print{body{max-width:none;margin:0;font-size:10pt}h3,h4,tr,figure{break-inside:avoid}
thead{display:table-header-group}}
"""


def page(title: str, body: Iterable[str], *, style: str = "") -> str:
    """A whole page around `body`, which is HTML; `title` is text. `style` is added to the sheet."""
    sheet = STYLE + style
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(sheet)}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{html(title)}</title><style>{sheet}</style></head><body><main>",
            *body,
            "</main></body></html>",
            "",
        ]
    )


def _policy(sheet: str) -> str:
    """Nothing but this very style sheet."""
    mark = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{mark}'; base-uri 'none'; form-action 'none'"


def state(word: str) -> str:
    """A verdict in its colour, which repeats the word and never says it alone."""
    return f'<span class="state {html(word.partition(" ")[0])}">{html(word)}</span>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    """A table of text."""
    cells = "".join(f'<th scope="col">{html(cell)}</th>' for cell in head)
    yield f'<div class="wide"><table><thead><tr>{cells}</tr></thead><tbody>'
    yield from (f"<tr>{''.join(f'<td>{html(cell)}</td>' for cell in row)}</tr>" for row in rows)
    yield "</tbody></table></div>"


def figure(plot: Plot) -> Iterable[str]:
    """A plot in the page's colours, and the same numbers as a table."""
    # A place that scrolls has to be within reach of the keyboard, and then needs a name.
    yield f'<figure><div class="plot" tabindex="0" role="group" aria-label="{html(plot.title)}">'
    yield f"{plot.svg(themed=True)}</div><details><summary>The same numbers as a table</summary>"
    yield from table(*plot.table())
    yield "</details></figure>"
