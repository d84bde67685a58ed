"""The whole game, with models whose memory is known."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.attack.privacy import Game, Membership, Method, play, train_shadows
from holdfast.attack.privacy.confidence import scaled
from holdfast.attack.privacy.membership import control
from holdfast.core.errors import UsageError

Rows = tuple[np.ndarray, np.ndarray]


def table(n: int, seed: int) -> Rows:
    draw = np.random.default_rng(seed)
    X = draw.normal(size=(n, 4))
    return X, (X[:, 0] + draw.normal(size=n) > 0).astype(np.int64)


def by_heart(X: np.ndarray, y: np.ndarray, seed: int):
    """A classifier that is sure of the rows it has seen, and guesses of the others."""
    seen = {row.tobytes(): label for row, label in zip(X, y, strict=True)}
    noise = np.random.default_rng(seed)

    def predict(rows: np.ndarray) -> np.ndarray:
        p = 0.5 + 0.05 * noise.uniform(-1, 1, len(rows))
        for place, row in enumerate(rows):
            label = seen.get(row.tobytes())
            p[place] = p[place] if label is None else 0.9 * label + 0.05
        return np.column_stack([1 - p, p])

    return predict


def line(X: np.ndarray, y: np.ndarray, seed: int):
    """A classifier of two numbers: it can remember nobody."""
    weight = float(np.cov(X[:, 0], y)[0, 1])

    def predict(rows: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-4 * weight * rows[:, 0]))
        return np.column_stack([1 - p, p])

    return predict


def attacked(fit, method: Method, shadows: int = 8, seed: int = 0) -> tuple[Membership, Membership]:
    game = Game.of(table(900, 1), table(900, 2), rows=500, population=200, rest=100, seed=seed)
    own = np.r_[np.flatnonzero(game.member), np.arange(game.judged, len(game.y))]
    predict = fit(game.X[own], game.y[own], seed + 90)
    confidence = scaled(predict(game.X[: game.judged]), game.y[: game.judged])
    seen = train_shadows(fit, game.X, game.y, game.draws(shadows, seed), judged=game.judged, seed=seed)
    return play(game, confidence, seen, method=method, seed=seed), control(game, seen, method=method, seed=seed)


@pytest.mark.parametrize("method", list(Method))
def test_a_model_that_knows_rows_by_heart_is_found(method: Method) -> None:
    found, chance = attacked(by_heart, method)
    assert found.roc.tpr(0.01) > 0.9
    assert found.roc.auc > 0.98
    estimate = chance.roc.auc_estimate()
    assert estimate.low <= 0.5 <= estimate.high


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("seed", [3, 4])
def test_a_model_that_remembers_nobody_is_at_chance(method: Method, seed: int) -> None:
    found, _ = attacked(line, method, seed=seed)
    # Four times the width of the interval: the seeds are fixed, chance is not.
    assert abs(found.roc.auc - 0.5) < 0.08
    assert found.roc.tpr_estimate(0.01, seed).low < 0.03


def test_two_shadows_are_enough_for_rmia() -> None:
    game = Game.of(table(400, 1), table(400, 2), rows=200, population=100, rest=0, seed=0)
    predict = by_heart(game.X[:200], game.y[:200], 1)
    seen = train_shadows(by_heart, game.X, game.y, game.draws(2, 0), judged=game.judged, seed=5)
    confidence = scaled(predict(game.X[: game.judged]), game.y[: game.judged])
    assert play(game, confidence, seen, method=Method.RMIA).roc.tpr(0.01) > 0.9


def test_the_same_seed_gives_the_same_figures() -> None:
    (one, _), (two, _) = attacked(line, Method.LIRA, seed=7), attacked(line, Method.LIRA, seed=7)
    assert (one.scores == two.scores).all()
    assert one.roc.tpr_estimate(0.01, 7) == two.roc.tpr_estimate(0.01, 7)


def test_who_knows_what_is_part_of_every_result() -> None:
    found, _ = attacked(line, Method.LIRA_OFFLINE)
    assert not found.threat.online
    assert "no shadow has seen the row" in found.threat.words
    assert "with and without the row" in Method.RMIA.threat.words


def test_the_game_keeps_its_kinds_apart() -> None:
    members, others = table(300, 1), table(300, 2)
    game = Game.of(members, others, rows=100, population=60, rest=50, seed=0)
    known = {row.tobytes() for row in members[0]}
    inside = [row.tobytes() in known for row in game.X]
    assert inside[:100] == [True] * 100
    assert inside[100 : game.judged] == [False] * (100 + 60)
    assert inside[game.judged :] == [True] * 50
    draws = game.draws(6, 1)
    assert not draws[:, game.asked : game.judged].any()
    assert draws[:, game.judged :].all()
    assert set(draws.sum(axis=1)) == {100 + 50}


def test_small_games_and_odd_shadows_are_refused() -> None:
    with pytest.raises(UsageError, match="cannot be tested"):
        Game.of(table(40, 1), table(400, 2), rows=100, population=10, rest=0, seed=0)
    game = Game.of(table(200, 1), table(200, 2), rows=100, population=10, rest=0, seed=0)
    for count in (0, 1, 3):
        with pytest.raises(UsageError):
            game.draws(count, 0)
