"""The console in a real browser: every page, light and dark, wide and narrow; and alerts that arrive."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import REPO, missing
from console_estate import PASSWORD, raise_alert, send_traffic

pytestmark = pytest.mark.browser

SCREENS = REPO / "reports" / "screens"
SIZES = {"desktop": {"width": 1280, "height": 800}, "mobile": {"width": 390, "height": 844}}
LOADS = 30


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The system's Chromium; nothing is downloaded."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing("browser", "there is no chromium on this machine")
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def signed_in(chromium: Any, stage: Any) -> Any:
    """The cookies of a browser that has signed in through the form."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(stage.url + "/login")
    page.fill("#name", "lead")
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.wait_for_url("**/posture")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(scope="module")
def stage(bench: Any) -> Any:
    """The estate with everything on it that a page may show: a sprint, feeds, claims, a pending response."""
    furnish(bench)
    return bench


def furnish(bench: Any) -> None:
    """A day of traffic, a planned sprint and a running piece of work."""
    send_traffic(bench.estate.holdfast)
    with bench.client("lead") as client:
        day = bench.estate.clock().date()
        form = {
            "name": "Sprint 1",
            "starts": day.isoformat(),
            "ends": (day + timedelta(days=13)).isoformat(),
            "capacity": "24",
        }
        made = client.post("/api/backlog/sprints", json=form)
        assert made.is_success, made.text
        sprint = made.json()["location"].rsplit("/", 1)[1]
        assert client.post(f"/api/backlog/sprints/{sprint}/plan", json={}).is_success
        items = client.get(f"/api/backlog/sprints/{sprint}").json()["board"]
        planned = next(column["items"] for column in items if column["state"] == "planned")
        assert client.post(f"/api/backlog/items/{planned[0]['id']}/start", json={}).is_success


def addresses(bench: Any) -> dict[str, str]:
    """Every kind of page, by a name for its picture."""
    with bench.estate.holdfast.store.reading() as tx:
        item, sprint = tx.backlog.as_of(tx.now)[0].id, tx.sprints.all()[0].id
        advisory = tx.intel.recent(1, None)[0]
    return {
        "posture": "/posture",
        "posture-as-of": "/posture?as_of=2026-01-05T09:30:00Z",
        "models": "/estate/models",
        "model": "/estate/models/card-fraud",
        "model-never-judged": "/estate/models/recommender",
        "alerts": "/watch/alerts",
        "alert": f"/watch/alerts/{bench.estate.alerts[0]}",
        "campaigns": "/watch/campaigns",
        "backlog": "/backlog",
        "item": f"/backlog/items/{item}",
        "sprints": "/backlog/sprints",
        "sprint": f"/backlog/sprints/{sprint}",
        "intel": "/intel",
        "intel-item": f"/intel/items/{advisory}",
        "respond": "/respond",
        "comply": "/comply",
        "framework": "/comply/DORA",
        "clause": "/comply/DORA/25(1)",
        "ledger": "/ledger",
        "leaf": "/ledger/leaves/5",
        "settings": "/settings",
        "missing": "/estate/models/nobody",
    }


def test_every_page_is_accessible_and_quiet(chromium: Any, stage: Any, signed_in: Any) -> None:
    """Loaded once, then shown light and dark, wide and narrow: what changes is the style sheet's doing alone."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    SCREENS.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(storage_state=signed_in)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda line: said.append(f"{page.url}: {line.text}") if line.type in ("error", "warning") else 0)
    page.on("pageerror", lambda fault: said.append(f"{page.url}: {fault}"))
    wrong = []
    for name, path in addresses(stage).items():
        page.goto(stage.url + path, wait_until="load")
        for scheme, size in itertools.product(("light", "dark"), SIZES):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(SIZES[size])
            where = f"{name}-{scheme}-{size}"
            found = axe.run(page).response["violations"]
            wrong += [f"{where}: {item['id']} {item['nodes'][0]['html'][:120]}" for item in found]
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                wrong.append(f"{where}: wider than the window")
            page.screenshot(path=SCREENS / f"{where}.png", full_page=True)
    context.close()
    assert wrong == []
    assert [line for line in said if "404" not in line] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_door_is_accessible(chromium: Any, stage: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    context = chromium.new_context(color_scheme=scheme, viewport=SIZES["mobile"])
    page = context.new_page()
    page.goto(stage.url + "/ledger")
    assert page.url.endswith("/login?next=%2Fledger")
    page.fill("#name", "lead")
    page.fill("#password", "wrong and wrong")
    page.click("button.main")
    assert "do not belong together" in page.inner_text("main")
    assert axe.run(page).response["violations"] == []
    page.screenshot(path=SCREENS / f"login-{scheme}-mobile.png", full_page=True)
    page.fill("#name", "lead")
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.wait_for_url("**/ledger")
    context.close()


def test_alerts_arrive_on_every_load(chromium: Any, stage: Any, signed_in: Any) -> None:
    context = chromium.new_context(viewport=SIZES["desktop"], storage_state=signed_in)
    page = context.new_page()
    arrived = 0
    for number in range(LOADS):
        page.goto(stage.url + "/watch/alerts")
        page.wait_for_selector("#live[data-state=live]", timeout=15_000)
        raised = raise_alert(stage.estate.holdfast, "churn", f"load-{number}")
        page.wait_for_selector(f'tr[data-id="{raised}"]', timeout=15_000)
        arrived += 1
        assert page.locator(f'tr[data-id="{raised}"]').count() == 1
    assert page.locator("#alerts tbody tr").count() <= 50
    page.screenshot(path=SCREENS / "alerts-live.png")
    context.close()
    assert arrived == LOADS


def test_a_stalled_stream_is_said_and_alerts_still_come(chromium: Any, stage: Any, signed_in: Any) -> None:
    context = chromium.new_context(viewport=SIZES["desktop"], storage_state=signed_in)
    context.route("**/api/watch/alerts/stream*", lambda route: route.abort())
    page = context.new_page()
    page.goto(stage.url + "/watch/alerts")
    page.wait_for_selector("#live[data-state=stalled]", timeout=15_000)
    raised = raise_alert(stage.estate.holdfast, "churn", "while-stalled")
    page.wait_for_selector(f'tr[data-id="{raised}"]', timeout=15_000)
    assert "asking" in page.inner_text("#live")
    context.close()


def test_an_alert_is_answered_with_the_keyboard_alone(chromium: Any, stage: Any, signed_in: Any) -> None:
    alert = raise_alert(stage.estate.holdfast, "card-fraud", "by-keyboard")
    context = chromium.new_context(viewport=SIZES["desktop"], storage_state=signed_in)
    page = context.new_page()
    page.goto(stage.url + f"/watch/alerts/{alert}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "why":
            break
    page.keyboard.type("a partner tested its client")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**done=close_alert")
    assert "The alert is closed" in page.inner_text("main")
    context.close()
    with stage.estate.holdfast.store.reading() as tx:
        assert tx.alerts.find(alert).state.value == "closed"


def test_screens_lie_where_git_does_not_look() -> None:
    assert "/reports/" in (REPO / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert Path("reports") / "screens" == SCREENS.relative_to(REPO)
