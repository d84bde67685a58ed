"""Escaping, over arbitrary text."""

from __future__ import annotations

from html import unescape
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.core.report import FORMATS, render
from holdfast.core.report.escape import html, markdown, uri, visible

ANY = st.text(st.characters(exclude_categories=[]), max_size=60)


@given(ANY)
def test_visible_text_is_printable_and_plain_text_stays(text: str) -> None:
    assert visible(text).isprintable()
    if text.isprintable():
        assert visible(text) == text


@given(ANY, ANY)
def test_html_cannot_leave_its_element_or_attribute(one: str, two: str) -> None:
    page = f'<p title="{html(one)}">{html(two)}</p>'
    element = ElementTree.fromstring(page)
    assert (element.get("title"), element.text or "") == (visible(one), visible(two))


@given(ANY)
@example("ssh://host")
def test_markdown_holds_no_markup(text: str) -> None:
    safe = markdown(text)
    assert not set(safe) & set("<>|`@\n\r")
    assert "://" not in safe
    # Nothing was lost: take the escapes away again and the words are there.
    assert unescape(safe).replace("\\", "") == visible(text, 500).replace("\\", "")


@given(ANY)
def test_a_uri_is_ascii_and_has_no_blank(text: str) -> None:
    assert uri(text).isascii()
    assert not set(uri(text)) & set(' <>"\\\n')


def test_long_text_is_cut_and_says_so() -> None:
    assert visible("x" * 5000, 10) == "x" * 10 + "… (4,990 more characters)"


def test_there_is_no_other_form() -> None:
    assert FORMATS == ("text", "json", "sarif", "junit", "markdown")
    with pytest.raises(ValueError, match="no such form"):
        render(None, "pdf")  # type: ignore[arg-type]
