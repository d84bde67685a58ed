"""Settings: flags over environment over defaults, and the nearest manifest upward."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from holdfast.core.settings import MANIFEST_NAME, Settings, find_manifest


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HOLDFAST_{name.upper()}", raising=False)


def test_the_environment_wins_over_the_default_and_a_flag_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().workers >= 1
    monkeypatch.setenv("HOLDFAST_WORKERS", "7")
    assert Settings().workers == 7
    assert Settings(workers=2).workers == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workers", "0"),
        ("workers", "1e9"),
        ("check_timeout_s", "-1"),
        ("check_timeout_s", "nan"),
        ("worker_memory_mb", "1"),
    ],
)
def test_values_out_of_range_are_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"HOLDFAST_{name.upper()}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_plugins_are_off_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().plugins == ()
    monkeypatch.setenv("HOLDFAST_PLUGINS", '["acme-checks"]')
    assert Settings().plugins == ("acme-checks",)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().workers = 3  # type: ignore[misc]


def test_the_nearest_manifest_upward_is_found(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / MANIFEST_NAME).touch()
    assert find_manifest(deep) == tmp_path / MANIFEST_NAME
    (tmp_path / "a" / MANIFEST_NAME).touch()
    assert find_manifest(deep) == tmp_path / "a" / MANIFEST_NAME


def test_a_folder_of_that_name_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "x" / MANIFEST_NAME).mkdir(parents=True)
    assert find_manifest(tmp_path / "x") in (None, find_manifest(tmp_path.parent))
