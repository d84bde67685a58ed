"""The page of a gate run: whole in itself, and every plot has its table."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from holdfast.core.domain import Measurement, Observation, Reason, Verdict
from holdfast.core.report import AuditReport, CheckResult, ModelReport
from holdfast.gate import decide
from holdfast.gate.picture import picture, plots
from holdfast.gate.queries import report

WORD = '"><script>alert(1)</script>\x1b[31m'


class Tags(HTMLParser):
    """Collects tags and checks that they close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        self.open += [tag] if tag != "meta" else []

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(desk: Any, *points: tuple[float, float], word: str = "credit") -> tuple[str, ModelReport]:
    seen = [Measurement("evasion.robust_recall", value, "share", {"linf": at}) for at, value in points]
    check = CheckResult("evasion.search", 1, "k", Observation.of(*seen), cached=False, elapsed_s=1.0)
    reasons = (Reason(word, Verdict.FAILED, word, word),)
    judged = desk.judgement(Verdict.FAILED, model=word, version=word, policy=word, reasons=reasons)
    model = ModelReport(judged, (check,))
    return picture(report(decide([judged]), AuditReport(desk.now, (model,)))), model


def test_a_plot_has_its_table(desk: Any) -> None:
    text, model = page(desk, (0.01, 0.1), (0.002, 0.4))
    tags = Tags(text)
    assert tags.open == []
    assert (tags.seen.count("svg"), tags.seen.count("table")) == (1, 2)
    (plot,) = plots(model)
    assert plot.series[0].points == ((0.002, 0.4), (0.01, 0.1))
    assert "<td>0.002</td><td>0.4</td>" in text


def test_one_point_is_no_line(desk: Any) -> None:
    text, model = page(desk, (0.01, 0.1))
    assert plots(model) == ()
    assert "<svg" not in text


def test_hostile_words_stay_words_and_nothing_comes_from_outside(desk: Any) -> None:
    text, _ = page(desk, (0.01, 0.1), (0.002, 0.4), word=WORD)
    tags = Tags(text)
    assert tags.open == []
    assert not {"script", "link", "img", "iframe"} & set(tags.seen)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert "\x1b" not in text
