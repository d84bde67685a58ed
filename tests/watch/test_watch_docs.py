"""docs/watch.md lists every setting of taking events in, with the default in force."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast.watch.settings import WatchSettings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "watch.md"
MIB = 1 << 20


def test_every_setting_is_documented_with_its_default() -> None:
    said: dict[str, str] = {}
    for names, defaults in re.findall(
        r"^\| (`[A-Z_`, ]+`) \| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    ):
        found = re.findall(r"`([A-Z_]+)`", names)
        values = defaults.split(", ") if len(found) > 1 else [defaults]
        said |= dict(zip(found, values, strict=True))
    assert {name.lower() for name in said} == set(WatchSettings.model_fields)
    for name, field in WatchSettings.model_fields.items():
        text = said[name.upper()].strip("` ").replace(",", "")
        scale = MIB if text.endswith(" MiB") else 1
        value = text.removesuffix(" MiB")
        if isinstance(field.default, str):
            assert value == field.default
        else:
            assert float(value) * scale == field.default, name
