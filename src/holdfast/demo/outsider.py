"""Who asks card-fraud: honest people, whose traffic was recorded, and an outsider who wants one payment through."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from holdfast.core.errors import PrerequisiteError
from holdfast.demo.cast import CARD_FRAUD

if TYPE_CHECKING:
    import httpx
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.demo.story import Story

HISTORY = 12_000
BATCH = 3_000
QUESTIONS = 160
CLIENT = "web-shop-7731"


def honest_history(story: Story, server: str, token: str) -> None:
    """Send what a tap has recorded of the last hours, as Arrow over HTTP."""
    import httpx

    from holdfast.testing import simulate
    from holdfast.testing.traffic import benign

    stream = benign(simulate.card_fraud, HISTORY, story.seed)
    now_us = int(story.clock().timestamp() * 1_000_000)
    late = replace(stream, time=stream.time - int(stream.time.max()) + now_us - 60_000_000)
    table = late.table(CARD_FRAUD.name, _scores(story, late.X), prefix=f"tap-{story.seed}")
    story.say(f"{len(table):,} recorded requests to card-fraud are taken in; the detectors learn what is usual")
    headers = {"authorization": f"Bearer {token}", "content-type": "application/vnd.apache.arrow.stream"}
    with httpx.Client(base_url=server, timeout=60) as client:
        for begin in range(0, len(table), BATCH):
            answer = client.post("/watch/events", content=_arrow(table.slice(begin, BATCH)), headers=headers)
            _demand(answer)


def _scores(story: Story, X: NDArray[np.float64]) -> NDArray[np.float64]:
    from holdfast.core.contract import Contract
    from holdfast.demo.endpoint import Model

    folder = story.folder / CARD_FRAUD.name
    contract = Contract.load(folder / "contract.yaml")
    return Model(folder / CARD_FRAUD.artifact, tuple(contract.names)).scores(X).astype(float)


def _arrow(table: Any) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _demand(answer: httpx.Response) -> None:
    if answer.status_code != 202:
        raise PrerequisiteError(
            "the events of the demo were not taken in",
            cause=f"HTTP {answer.status_code}: {answer.text[:200]}",
            fix="report it with `holdfast doctor`'s output; the demo goes on at this scene when it is run again",
            code="HF-PRE-006",
        )


def attack(story: Story) -> None:
    """Work on declined payments through the endpoint, one question at a time, as a stranger over HTTP."""
    import numpy as np

    from holdfast.core.contract import Contract
    from holdfast.testing.attackers import Case, Form, run

    folder = story.folder / CARD_FRAUD.name
    contract = Contract.load(folder / "contract.yaml")
    X, scores = _records(story, contract)
    random = np.random.default_rng([story.seed, 4])
    origin = X[random.choice(np.flatnonzero(scores >= 0.5))]
    accepted = X[random.permutation(np.flatnonzero(scores < 0.5))]
    own = np.array([place for place, item in enumerate(contract.features) if item.derived is None])
    case = Case(origin, accepted, accepted[:50], contract.scales(X), own)
    story.say(f"an outsider asks card-fraud {QUESTIONS} questions about variations of one declined payment")
    with _Caller(story, tuple(contract.names)) as caller:
        run("walk", Form.PROJECTED, case, predict=caller, contract=contract, seed=story.seed, budget=QUESTIONS)


def _records(story: Story, contract: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the outsider has got hold of: some payments like those the model was trained with."""
    from holdfast.testing import simulate

    X = contract.encode(simulate.card_fraud(3_000, story.seed + 1).features)
    return X, _scores(story, X)


class _Caller:
    """The endpoint as a function: each question is a request about somebody new."""

    def __init__(self, story: Story, names: tuple[str, ...]) -> None:
        import httpx

        self._url = f"http://127.0.0.1:{story.stamp.ports[CARD_FRAUD.name]}/v2/models/{CARD_FRAUD.name}/infer"
        self._token = story.tokens[CARD_FRAUD.name]
        self._client = httpx.Client(timeout=30)
        self._names, self._asked = names, 0

    def __enter__(self) -> _Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        import numpy as np

        self._asked += 1
        tensor = {"name": "rows", "shape": list(rows.shape), "datatype": "FP64", "data": _plain(rows)}
        headers = {
            "authorization": f"Bearer {self._token}",
            "x-client-id": CLIENT,
            "x-subject-id": f"card-{self._asked}",
        }
        answer = self._client.post(self._url, json={"inputs": [tensor]}, headers=headers)
        if answer.status_code != 200:
            return np.ones(len(rows))  # refused: the outsider learns nothing and takes it for a decline
        return np.asarray(answer.json()["outputs"][0]["data"], dtype=np.float64)


def _plain(rows: NDArray[np.float64]) -> list[float | None]:
    """JSON has no NaN: a missing value is null."""
    import math

    return [None if math.isnan(value) else value for value in rows.ravel().tolist()]
