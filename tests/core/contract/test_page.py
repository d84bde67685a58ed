"""The examples on the docs page run."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast.core.contract import Contract

PAGE = (Path(__file__).parents[3] / "docs" / "concepts" / "contract.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_yaml_is_a_contract() -> None:
    contract = Contract.parse(blocks("yaml")[0])
    assert contract.constraints[1].text == "if BILL > 0 and CHANNEL != 'branch' then PAY >= 1"


def test_the_python_runs() -> None:
    (program,) = blocks("python")
    exec(compile(program, "contract.md", "exec"), {})
