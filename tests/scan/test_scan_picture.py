"""The page of a scan: every finding with its rule, place, cause and fix; every byte in a bar with its words."""

from __future__ import annotations

import io
import pickle
import re
import shutil
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from conftest import missing
from holdfast.cli.main import run as command
from holdfast.scan import RULES, FileReport, scan, scan_paths
from holdfast.scan.pages import rule_page
from holdfast.scan.picture import picture

HARM = b"cos\nsystem\n(S'x'\ntR."
SIZES = ((390, 844), (1280, 800))


class Tags(HTMLParser):
    """Collects tags, ids and links, and checks that tags close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.open += [tag] if tag != "meta" else []
        told = dict(attrs)
        self.ids += [told["id"] or ""] if "id" in told else []
        self.links += [told["href"] or ""] if "href" in told else []
        assert not {"style", "src", "onclick"} & set(told)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture
def reports(tmp_path: Path) -> list[FileReport]:
    content = {
        "clean.pkl": pickle.dumps([1.5] * 9),
        "bad.zip": zipped(inner=HARM, other=b"hello"),
        "odd.bin": b"\x97\x93\xa1\xd6\xbe\x0e\x38\x57" + b"\xff\xfe\x01" * 20,
        "keys.txt": b"password = 'correct-horse'\n",
        "empty": b"",
    }
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    return list(scan_paths([tmp_path]))


def test_every_finding_has_rule_place_cause_and_fix(reports: list[FileReport]) -> None:
    text = picture(reports)
    tags = Tags(text)
    assert tags.open == []
    for report in reports:
        for hit in report.hits:
            assert f'<a href="#{hit.rule.id}">{hit.rule.id}</a>: {hit.rule.title}' in text
            assert rule_page(hit.rule.id).means.split("`")[0] in text
    assert "<code>os.system</code> in <code>inner</code> at byte 0" in text
    assert {link.removeprefix("#") for link in tags.links} <= set(tags.ids)
    assert len(tags.ids) == len(set(tags.ids))


def test_the_picture_and_its_table_say_the_same(reports: list[FileReport]) -> None:
    text = picture(reports)
    assert 'aria-label="Files by verdict: 1 blocked, 1 unknown, 1 review, 2 clean"' in text
    widths = [int(found) for found in re.findall(r'<rect class="fill-\w+" x="\d+" y="0" width="(\d+)"', text)]
    assert widths == [1, 1, 1, 2]
    assert text.count('<td class="count">20.0 %</td>') == 3
    odd = next(report for report in reports if report.path.endswith("odd.bin"))
    assert f"{odd.bytes} B not explained" in text
    assert "nothing in it" in text


def test_a_clean_scan_says_so(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(1))
    text = picture([scan(tmp_path / "m.pkl")])
    assert "None: every file is of a format" in text
    assert 'id="rules"' not in text
    assert Tags(picture([])).open == []


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    word = '"><script>alert(1)<\\script>\x1b[31m'
    (tmp_path / word).write_bytes(zipped(**{word: HARM}))
    text = picture(list(scan_paths([tmp_path])))
    assert not {"script", "img", "link", "iframe"} & set(Tags(text).seen)
    assert "\x1b" not in text


def test_long_scans_are_cut_and_say_so(reports: list[FileReport], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.scan.picture.MAX_FILES", 2)
    assert "1 more file not shown" in picture(reports)
    assert "3 more files not shown" in picture(reports)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_can_be_drawn(rule: Any) -> None:
    page = rule_page(rule.id)
    assert all((page.means, page.matters, page.before, page.fix, page.after))
    assert "```" not in page.fix


def test_the_command_writes_it(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(HARM)
    target = tmp_path / "scan.html"
    assert command(["scan", str(tmp_path / "m.pkl"), "--format", f"html={target}"]) == 1
    assert "<title>Holdfast scan: blocked</title>" in target.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing("browser", "there is no chromium on this machine")
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_browser_shows_it_whole_and_accessible(
    chromium: Any, reports: list[FileReport], tmp_path: Path, scheme: str, size: tuple[int, int]
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    target = tmp_path / "page.html"
    target.write_text(picture(reports), encoding="utf-8")
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page, said = context.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.goto(target.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") is (scheme == "light"), "the policy lets the style sheet through"
    violations = axe.run(page).response["violations"]
    context.close()
    assert [found["id"] for found in violations] == []
    assert said == []
