"""--format and --output: nothing is written before everything is rendered, and a file is whole or untouched."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli.output import Form, Output, table, write_atomically
from holdfast.cli.terminal import Terminal
from holdfast.core.errors import UsageError


def test_no_form_is_text_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    Output.of((), None).write(lambda form: f"as {form.format}", Terminal())
    assert capsys.readouterr().out == "as text\n"


def test_each_form_goes_to_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forms = (Form("text", None), Form("json", tmp_path / "a.json"))
    Output.of(forms, None).write(lambda form: f"as {form.format}\n", Terminal())
    seen = capsys.readouterr()
    assert seen.out == "as text\n"
    assert (tmp_path / "a.json").read_text() == "as json\n"
    assert str(tmp_path / "a.json") in seen.err


def test_output_takes_the_form_without_a_file(tmp_path: Path) -> None:
    placed = Output.of((Form("sarif", tmp_path / "s"), Form("json", None)), str(tmp_path / "j"))
    assert placed.forms == (Form("sarif", tmp_path / "s"), Form("json", tmp_path / "j"))


def test_two_forms_for_one_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Output.of((Form("json", tmp_path / "x"), Form("text", None)), str(tmp_path / "x"))
    assert caught.value.code == "HF-USE-003"


def test_a_fault_while_rendering_writes_nothing(tmp_path: Path) -> None:
    def render(form: Form) -> str:
        if form.format == "sarif":
            raise ValueError(form.format)
        return form.format

    with pytest.raises(ValueError, match="sarif"):
        Output.of((Form("json", tmp_path / "j"), Form("sarif", tmp_path / "s")), None).write(render, Terminal())
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        with pytest.raises(OSError, match="disk full"):
            write_atomically(target, "new")
    assert target.read_text() == "old"
    write_atomically(target, "new")
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_table_lines_up() -> None:
    assert table([("a", "long one"), ("bb", "c")], ("X", "Y")) == "X   Y\na   long one\nbb  c"
