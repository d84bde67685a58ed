"""Who comes in, who may do what, and that nobody can be made to do it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import holdfast.server.pages  # noqa: F401 - declares the actions
from console_estate import PASSWORD, raise_alert
from holdfast.core.domain.access import Role, Scope
from holdfast.core.errors import AccessError, UsageError
from holdfast.core.store import Store
from holdfast.server.auth.entry import (
    ADDRESS_FACTOR,
    IDLE,
    LOGIN_WINDOW,
    LONGEST,
    MAX_FAILURES,
    Entry,
    add_token,
    add_user,
    first_start,
)
from holdfast.server.auth.rights import HOLDERS, Right
from holdfast.server.auth.secrets import hashed
from holdfast.server.page import ACTIONS
from holdfast.server.pages.login import local


class Hands:
    """A clock moved by hand."""

    def __init__(self, clock: Any) -> None:
        self.now = clock()

    def __call__(self) -> Any:
        return self.now


@pytest.fixture
def store(tmp_path: Path, bench: Any) -> Any:
    with Store.open(None, tmp_path, Hands(bench.estate.clock)) as found:
        yield found


def fresh_alert(bench: Any, name: str) -> str:
    return raise_alert(bench.estate.holdfast, "card-fraud", name)


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def test_a_session_begins_with_a_password_and_ends_by_signing_out(bench: Any, form_token: Any) -> None:
    with bench.sign_in("lead", PASSWORD) as browser:
        page = browser.get("/posture")
        assert page.status_code == 200
        cookie = next(iter(browser.cookies.jar))
        assert cookie.name == "holdfast"
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "lax"
        answer = browser.post("/logout", data={"form_token": form_token(page.text)})
        assert answer.headers["location"] == "/login"
        browser.cookies.set("holdfast", cookie.value or "")
        assert browser.get("/posture").status_code == 303


@pytest.mark.parametrize(
    ("change", "headers"),
    [
        ({"form_token": "0" * 64}, {}),
        ({"form_token": ""}, {}),
        ({}, {"origin": "https://evil.example"}),
        ({}, {"origin": "null"}),
        ({}, {"origin": ""}),
    ],
)
def test_a_form_of_somebody_elses_changes_nothing(bench: Any, form_token: Any, change: Any, headers: Any) -> None:
    alert = fresh_alert(bench, f"forged-{len(str(change))}-{headers.get('origin', 'x')[:5]}")
    with bench.sign_in("lead", PASSWORD) as browser:
        form = {"form_token": form_token(browser.get("/posture").text), "reason": "forged", **change}
        answer = browser.post(f"/watch/alerts/{alert}/close", data=form, headers=headers)
    assert answer.status_code == 403
    assert "HF-ACC-003" in answer.text
    with bench.estate.holdfast.store.reading() as tx:
        assert tx.alerts.find(alert).state.value == "open"


def test_a_cookie_alone_changes_nothing_through_the_api(bench: Any, form_token: Any) -> None:
    alert = fresh_alert(bench, "api-forged")
    with bench.sign_in("lead", PASSWORD) as browser:
        token = form_token(browser.get("/posture").text)
        refused = browser.post(f"/api/watch/alerts/{alert}/close", json={"reason": "x"})
        assert code_of(refused) == "HF-ACC-003"
        done = browser.post(f"/api/watch/alerts/{alert}/close", json={"reason": "x"}, headers={"x-form-token": token})
        assert done.status_code == 200


def test_the_login_form_has_a_token_too(bench: Any) -> None:
    with bench.client() as browser:
        answer = browser.post("/login", data={"name": "lead", "password": PASSWORD}, headers={"origin": bench.url})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_wrong_password_says_nothing_about_the_name(bench: Any, form_token: Any) -> None:
    said = []
    for name in ("lead", "nobody-here"):
        with bench.client() as browser:
            browser.headers["origin"] = bench.url
            form = {"form_token": form_token(browser.get("/login").text), "name": name, "password": "wrong password 1"}
            answer = browser.post("/login", data=form)
            said.append((answer.status_code, answer.text.replace(form["form_token"], "")))
            assert "HF-ACC-004" in answer.text
    assert said[0] == said[1]


def test_guessing_is_slowed_for_the_name_and_ends_with_the_window(store: Store) -> None:
    store.run(lambda tx: add_user(tx, "ana", Role.ANALYST, password=PASSWORD))
    entry = Entry(store)
    with pytest.raises(AccessError, match="do not belong"):
        entry.sign_in("ana", "guess guess guess", "10.0.0.1")
    with store.reading() as tx:
        (key,) = [name for name in (f"name:{hashed('ana')}",) if tx.access.failures(name, store.clock() - LOGIN_WINDOW)]
    for _ in range(MAX_FAILURES - 1):
        store.run(lambda tx: tx.access.note_failures([key], store.clock() - LOGIN_WINDOW))
    with pytest.raises(AccessError) as fault:
        entry.sign_in("ana", PASSWORD, "10.0.0.2")
    assert fault.value.code == "HF-ACC-005"
    store.clock.now += LOGIN_WINDOW + timedelta(seconds=1)  # type: ignore[attr-defined]
    assert entry.by_session(entry.sign_in("ana", PASSWORD, "10.0.0.2"))


def test_guessing_many_names_from_one_address_is_slowed(store: Store) -> None:
    since = store.clock() - LOGIN_WINDOW
    for number in range(MAX_FAILURES * ADDRESS_FACTOR):
        keys = [f"name:{number}", "address:10.0.0.9"]
        store.run(lambda tx, keys=keys: tx.access.note_failures(keys, since))
    with pytest.raises(AccessError) as fault:
        Entry(store).sign_in("somebody", "x", "10.0.0.9")
    assert fault.value.code == "HF-ACC-005"


def test_a_session_ends_when_idle_and_when_old(store: Store) -> None:
    store.run(lambda tx: add_user(tx, "ana", Role.ANALYST, password=PASSWORD))
    entry, clock = Entry(store), store.clock
    secret = entry.sign_in("ana", PASSWORD, "-")
    clock.now += IDLE - timedelta(seconds=1)  # type: ignore[attr-defined]
    assert entry.by_session(secret)
    clock.now += IDLE  # type: ignore[attr-defined]
    assert entry.by_session(secret) is None
    secret = entry.sign_in("ana", PASSWORD, "-")
    for _ in range(int(LONGEST / timedelta(minutes=20)) - 1):
        clock.now += timedelta(minutes=20)  # type: ignore[attr-defined]
        assert entry.by_session(secret)
    clock.now += timedelta(minutes=20)  # type: ignore[attr-defined]
    assert entry.by_session(secret) is None


def test_a_disabled_user_is_out_at_once(store: Store) -> None:
    user = store.run(lambda tx: add_user(tx, "ana", Role.ANALYST, password=PASSWORD))
    entry = Entry(store)
    session = entry.sign_in("ana", PASSWORD, "-")
    _, token = store.run(lambda tx: add_token(tx, user, "t", (Scope.READ,)))
    assert entry.by_session(session)
    assert entry.by_token(token)
    store.run(lambda tx: tx.access.disable(user.id))
    assert entry.by_session(session) is None
    assert entry.by_token(token) is None
    with pytest.raises(AccessError):
        entry.sign_in("ana", PASSWORD, "-")


def test_a_token_ends_with_its_days_and_by_revoking(store: Store) -> None:
    user = store.run(lambda tx: add_user(tx, "ana", Role.ANALYST))
    first, secret = store.run(lambda tx: add_token(tx, user, "t", (Scope.READ,), 2))
    entry = Entry(store)
    assert entry.by_token(secret)
    assert entry.by_token(secret + "x") is None
    store.clock.now += timedelta(days=2)  # type: ignore[attr-defined]
    assert entry.by_token(secret) is None
    second, other = store.run(lambda tx: add_token(tx, user, "t", (Scope.READ,), 2))
    assert store.run(lambda tx: tx.access.revoke(second.id))
    assert not store.run(lambda tx: tx.access.revoke(second.id))
    assert entry.by_token(other) is None
    assert first.hint in secret


def test_no_secret_is_in_the_database(store: Store, tmp_path: Path) -> None:
    keys = first_start(store)
    assert keys is not None
    assert first_start(store) is None
    session = Entry(store).sign_in(keys.name, keys.password, "-")
    everything = b"".join(path.read_bytes() for path in tmp_path.glob("*") if path.is_file())
    for secret in (keys.password, keys.token, session):
        assert secret.encode() not in everything


@pytest.mark.parametrize("name", ["", " ", "a b", "a\u202eb", "é", "x" * 65, "a/b", "-a", "<b>"])
def test_a_name_is_readable_and_unmistakable(store: Store, name: str) -> None:
    with pytest.raises(UsageError) as fault:
        store.run(lambda tx: add_user(tx, name, Role.ANALYST))
    assert fault.value.code == "HF-SRV-011"


@pytest.mark.parametrize("password", ["short", "x" * 257])
def test_a_password_has_a_sensible_length(store: Store, password: str) -> None:
    with pytest.raises(UsageError) as fault:
        store.run(lambda tx: add_user(tx, "ana", Role.ANALYST, password=password))
    assert fault.value.code == "HF-SRV-010"


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("item", ACTIONS, ids=lambda item: item.name)
def test_every_action_is_refused_to_every_role_without_the_right(bench: Any, role: Role, item: Any) -> None:
    with bench.client(role.value) as client:
        answer = client.post("/api" + item.path.replace("{id}", "nothing"), json={})
    allowed = item.right is None or role in HOLDERS[item.right]
    assert (answer.status_code == 403) is not allowed, answer.text
    if not allowed:
        assert code_of(answer) == "HF-ACC-002"


def test_roles_are_no_ladder() -> None:
    assert Role.ADMIN not in HOLDERS[Right.ACCEPT_RISK]
    assert {role for right in Right for role in HOLDERS[right]} == set(Role)
    assert set(HOLDERS) == set(Right)


@pytest.mark.parametrize("item", ACTIONS, ids=lambda item: item.name)
def test_a_reading_token_changes_nothing(bench: Any, item: Any) -> None:
    with bench.client("read") as client:
        answer = client.post("/api" + item.path.replace("{id}", "nothing"), json={})
    assert answer.status_code == 403
    assert code_of(answer) == "HF-ACC-006"


def test_an_ingesting_token_reads_no_page_but_its_directives(bench: Any) -> None:
    with bench.client("ingest") as client:
        assert code_of(client.get("/api/posture")) == "HF-ACC-006"
        assert client.get("/api/respond/directives?model=card-fraud").status_code == 200
        assert code_of(client.post("/api/settings/tokens", json={})) == "HF-ACC-006"


def test_an_ingesting_token_gets_no_html_page(bench: Any) -> None:
    with bench.client("ingest") as client:
        assert client.get("/posture").status_code == 403
        assert client.get("/settings").status_code == 403


def test_a_user_of_one_unit_sees_that_unit_alone(bench: Any) -> None:
    pages = ["/posture", "/estate/models", "/backlog", "/watch/alerts", "/watch/campaigns", "/respond", "/intel"]
    pages += ["/comply", "/comply/DORA", "/comply/DORA/25(1)", "/ledger", "/settings"]
    with bench.client("lending") as client:
        for page in pages:
            for answer in (client.get(page), client.get("/api" + page)):
                assert answer.status_code == 200, page
                for hidden in ("card-fraud", "aml", "recommender"):
                    assert f'"{hidden}"' not in answer.text, page
                    assert f">{hidden}<" not in answer.text, page
                    assert f" {hidden}" not in answer.text, page
        assert client.get("/estate/models/card-fraud").status_code == 404
        assert client.get("/estate/models/collections").status_code == 200
        alert = bench.estate.alerts[0]
        assert client.get(f"/watch/alerts/{alert}").status_code == 404
        assert client.post(f"/api/watch/alerts/{alert}/close", json={"reason": "x"}).status_code == 404
        ordered = {one["model"] for one in client.get("/api/respond/directives").json()["directives"]}
        assert ordered <= {"credit-default", "collections"}


def test_closing_an_alert_ends_what_it_did_and_says_who(bench: Any) -> None:
    alert = fresh_alert(bench, "to-close")
    bench.estate.holdfast.settle()
    with bench.client("analyst") as client:
        before = client.get("/api/respond/directives?model=card-fraud").json()["directives"]
        assert any(one["client"] == "to-close" for one in before)
        assert client.post(f"/api/watch/alerts/{alert}/acknowledge", json={}).status_code == 200
        assert client.post(f"/api/watch/alerts/{alert}/close", json={"reason": "a known test"}).status_code == 200
        again = client.post(f"/api/watch/alerts/{alert}/close", json={"reason": "twice"})
        found = client.get(f"/api/watch/alerts/{alert}").json()["alert"]
        after = client.get("/api/respond/directives?model=card-fraud").json()["directives"]
    assert code_of(again).startswith("HF-WAT-")
    assert [(item["state"], item["by"]) for item in found["answers"]] == [
        ("acknowledged", "analyst"),
        ("closed", "analyst"),
    ]
    assert {kind for kind, _ in found["leaves"]} >= {"alert.raised", "alert.closed"}
    assert not any(one["client"] == "to-close" for one in after)


def test_four_eyes_are_two_people(bench: Any) -> None:
    with bench.client("lead") as lead, bench.client("engineer") as engineer:
        item = next(
            one["id"] for one in lead.get("/api/backlog?model=card-fraud").json()["items"] if not one["elsewhere"]
        )
        wish = {"reason": "bearable", "check": "quality.performance", "days": "20"}
        asked = lead.post(f"/api/backlog/items/{item}/accept", json=wish)
        assert asked.status_code == 200, asked.text
        own = lead.post(f"/api/backlog/items/{item}/approve", json={})
        assert (own.status_code, code_of(own)) == (403, "HF-BLG-005")
        assert code_of(engineer.post(f"/api/backlog/items/{item}/approve", json={})) == "HF-ACC-002"
        assert lead.post(f"/api/backlog/items/{item}/withdraw", json={"reason": "no"}).status_code == 200
        assert engineer.post(f"/api/backlog/items/{item}/accept", json=wish).status_code == 200
        assert lead.post(f"/api/backlog/items/{item}/approve", json={}).status_code == 200
        assert lead.get(f"/api/backlog/items/{item}").json()["item"]["state"] == "accepted"


def test_a_token_is_shown_once(bench: Any, form_token: Any) -> None:
    with bench.sign_in("lead", PASSWORD) as browser:
        token = form_token(browser.get("/settings").text)
        form = {"form_token": token, "label": "dash<b>board", "scope": "read", "days": "3"}
        answer = browser.post("/settings/tokens", data=form)
        secret = answer.text.split('<code class="command">', 1)[1].split("<", 1)[0]
        listed = browser.get("/settings").text
    assert secret.startswith("hft_")
    assert secret not in listed
    assert "dash&lt;b&gt;board" in listed
    with bench.client() as client:
        assert client.get("/api/posture", headers={"authorization": f"Bearer {secret}"}).status_code == 200
    with bench.client("auditor") as auditor:
        made = auditor.post("/api/settings/tokens", json={"label": "x", "scope": "ingest", "days": "3"})
    assert code_of(made) == "HF-ACC-002"


def test_an_administrator_manages_users(bench: Any) -> None:
    form = {"name": "zoe", "role": "auditor", "units": "cards, lending", "password": PASSWORD}
    with bench.client("admin") as admin:
        assert admin.post("/api/settings/users", json=form).status_code == 200
        assert code_of(admin.post("/api/settings/users", json=form)) == "HF-STO-020"
        users = {user["name"]: user for user in admin.get("/api/settings").json()["users"]}
        zoe, own = users["zoe"]["id"], users["admin"]["id"]
        assert users["zoe"]["units"] == ["cards", "lending"]
        with bench.sign_in("zoe", PASSWORD) as browser:
            assert browser.get("/posture").status_code == 200
            assert admin.post(f"/api/settings/users/{zoe}/password", json={"password": PASSWORD[::-1]}).is_success
            assert browser.get("/posture").status_code == 303
        assert admin.post(f"/api/settings/users/{zoe}/disable", json={}).status_code == 200
        assert admin.post(f"/api/settings/users/{own}/disable", json={}).status_code == 400
        assert admin.post("/api/settings/users/usr_none/disable", json={}).status_code == 404


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("/ledger?before=3", "/ledger?before=3"),
        ("//evil.example", "/posture"),
        ("/\\evil.example", "/posture"),
        ("https://evil.example", "/posture"),
        ("/logout", "/posture"),
        ("/x\ny", "/posture"),
        (None, "/posture"),
        ("", "/posture"),
        ("/" + "x" * 2000, "/posture"),
    ],
)
def test_signing_in_leads_nowhere_else(wanted: str | None, found: str) -> None:
    assert local(wanted) == found
