"""Every page: answered, guarded, with a twin that says the same and is what OpenAPI says it is."""

from __future__ import annotations

import json
from typing import Any

import httpx
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import holdfast.server.pages  # noqa: F401 - declares the pages
from holdfast.server.headers import POLICY
from holdfast.server.page import ACTIONS, PAGES

PATHS = [item.path for item in PAGES]


def filled(served: Any, path: str) -> str:
    """A declared path with names that exist in the estate."""
    with served.estate.holdfast.store.reading() as tx:
        item = tx.backlog.as_of(tx.now)[0].id
        sprints, advisory = tx.sprints.all(), tx.intel.recent(1, None)[0]
    values = {
        "/estate/models/{name}": {"name": "card-fraud"},
        "/watch/alerts/{id}": {"id": served.estate.alerts[0]},
        "/backlog/items/{id}": {"id": item},
        "/backlog/sprints/{id}": {"id": sprints[0].id if sprints else "none"},
        "/intel/items/{id}": {"id": advisory},
        "/ledger/leaves/{index}": {"index": "3"},
        "/comply/{framework}": {"framework": "DORA"},
        "/comply/{framework}/{ref}": {"framework": "DORA", "ref": "25(1)"},
    }
    return path.format(**values.get(path, {}))


EMPTY = {"/backlog/sprints/{id}"}
"""Pages of things that this estate has none of."""


@pytest.mark.parametrize("path", PATHS)
def test_a_page_and_its_twin_say_one_thing(served: Any, path: str) -> None:
    where = filled(served, path)
    with served.client("admin") as client:
        page, twin = client.get(where), client.get("/api" + where)
    if path in EMPTY:
        assert (page.status_code, twin.status_code // 100) == (twin.status_code, 4)
        return
    assert page.status_code == twin.status_code == 200
    body = twin.json()
    assert body["schema_version"] == 1
    assert body["as_of"].startswith("2026-01-05T")
    assert body["inputs_digest"].startswith("sha256:")
    assert f'href="/api{where}"'.replace("(", "%28").replace(")", "%29") in page.text.replace("(", "%28").replace(
        ")", "%29"
    )
    assert "style=" not in page.text
    assert "<script>" not in page.text
    assert "onclick" not in page.text


@pytest.mark.parametrize("path", [path for path in PATHS if path not in EMPTY])
def test_a_twin_is_what_openapi_says(served: Any, path: str) -> None:
    with served.client("admin") as client:
        described = client.get("/api/openapi.json").json()
        body = client.get("/api" + filled(served, path)).json()
    operation = described["paths"][path]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(body, {**schema, "components": described["components"]})
    named = {one["name"] for one in operation.get("parameters", [])}
    assert {part.strip("{}") for part in path.split("/") if part.startswith("{")} <= named


def test_the_same_moment_gives_the_same_answer(served: Any) -> None:
    with served.client("admin") as client:
        first = client.get("/api/posture?as_of=2026-01-05T12:10:00Z")
        second = client.get("/api/posture?as_of=2026-01-05T12:10:00Z")
        other = client.get("/api/posture?as_of=2026-01-05T09:30:00Z")
    assert first.content == second.content
    assert first.json()["inputs_digest"] != other.json()["inputs_digest"]


def test_the_posture_of_the_morning_is_still_known_at_noon(served: Any) -> None:
    with served.client("admin") as client:
        morning = client.get("/api/posture?as_of=2026-01-05T09:30:00Z").json()
        before = client.get("/api/posture?as_of=2026-01-05T08:00:00Z").json()
        now = client.get("/api/posture").json()
    assert before["failed"] == before["passed"] == 0
    assert before["unknown"] == 7
    assert morning["open_alerts"] == 0
    assert now["open_alerts"] == 2
    assert {item["model"] for item in now["bad"]} >= {"aml", "card-fraud", "recommender"}


def test_the_posture_answers_what_is_bad_what_changed_and_what_to_do(served: Any) -> None:
    with served.client("admin") as client:
        found = client.get("/api/posture").json()
    assert found["bad"][0]["tier"] == "critical"
    assert {"alert", "verdict"} <= {item["kind"] for item in found["changes"]}
    assert found["todo"][0]["link"].startswith("/watch/alerts/")
    cells = [cell for row in found["rows"] for cell in row["cells"]]
    assert sum(cell["failed"] + cell["unknown"] + cell["passed"] for cell in cells) == found["models"] == 7


def test_every_answer_carries_the_headers(served: Any) -> None:
    paths = ["/healthz", "/login", "/posture", "/api/posture", "/static/console.css", "/nowhere", "/api/nowhere"]
    with served.client("admin") as client:
        for path in paths:
            headers = client.get(path).headers
            assert headers["content-security-policy"] == POLICY, path
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["cache-control"] == ("no-cache" if path.startswith("/static") else "no-store")
            assert "server" not in headers
    assert "unsafe" not in POLICY


def test_nothing_but_the_door_is_open_to_nobody(served: Any) -> None:
    with served.client() as client:
        for path in PATHS:
            answer = client.get(filled(served, path))
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/login?next=%2F")
            assert client.get("/api" + filled(served, path)).json()["error"]["code"] == "HF-ACC-001"
        for path in ("/api/openapi.json", "/metrics", "/api/respond/directives", "/api/watch/alerts/stream"):
            assert client.get(path).status_code == 401
        for item in ACTIONS:
            where = item.path.replace("{id}", "x")
            assert client.post("/api" + where, json={}).status_code == 401
            form = {"content-type": "application/x-www-form-urlencoded"}
            assert client.post(where, content=b"", headers=form).status_code == 401
        assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    "path",
    [
        "/estate/models/nobody",
        "/estate/models/%3Cscript%3E",
        "/estate/models/..%2f..%2fetc",
        "/watch/alerts/' OR 1=1",
        "/ledger/leaves/-1",
        "/ledger/leaves/99999999999999999999",
        "/ledger/leaves/٣",
        "/comply/NOPE",
        "/comply/DORA/none",
        "/backlog/items/x",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/api/estate/models/%00",
        "/posture/",
    ],
)
def test_what_is_not_there_is_not_found(served: Any, path: str) -> None:
    with served.client("admin") as client:
        answer = client.get(path)
    assert answer.status_code in (400, 404), answer.text[:300]
    assert "Traceback" not in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/posture?as_of=yesterday", "HF-SRV-006"),
        ("/api/posture?as_of=2031-01-01T00:00:00Z", "HF-SRV-006"),
        ("/api/posture?as_of=0001-01-01T00:00:00%2B14:00", "HF-SRV-006"),
        ("/api/posture?since=%00", "HF-SRV-006"),
        ("/api/ledger?before=-3", "HF-SRV-006"),
        ("/api/ledger?before=9e9", "HF-SRV-006"),
        ("/api/watch/alerts?state=shut", "HF-SRV-006"),
        ("/api/watch/alerts/stream?after=x", "HF-SRV-006"),
        ("/api/nowhere", "HF-SRV-003"),
    ],
)
def test_a_wrong_parameter_is_named(served: Any, path: str, code: str) -> None:
    with served.client("admin") as client:
        answer = client.get(path)
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["fix"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([path for path in PATHS if "{" not in path]),
    query=st.dictionaries(
        st.sampled_from(["as_of", "since", "known_at", "before", "state", "unit", "tier", "model", "kind", "every"]),
        st.text(max_size=40) | st.datetimes().map(str) | st.integers().map(str),
        max_size=3,
    ),
)
def test_no_query_breaks_a_page(served: Any, path: str, query: dict[str, str]) -> None:
    with served.client("admin") as client:
        pages = [client.get(where, params=query) for where in (path, "/api" + path)]
    assert {page.status_code for page in pages} <= {200, 400}, [page.text[-400:] for page in pages]
    assert pages[0].status_code == pages[1].status_code


def test_the_parts_of_a_page_are_served(served: Any) -> None:
    with served.client() as client:
        for name, kind in (("console.css", "text/css"), ("live.js", "text/javascript"), ("mark.svg", "image/svg+xml")):
            assert client.get(f"/static/{name}").headers["content-type"].startswith(kind)


def test_a_leaf_is_proven_and_the_proof_holds_elsewhere(served: Any) -> None:
    from holdfast.core.data.merkle import leaf_hash, root_from_inclusion
    from holdfast.core.ledger import Checkpoint

    with served.client("auditor") as client:
        found = client.get("/api/ledger/leaves/5").json()
    assert found["proven"]
    key = served.estate.holdfast.public_key
    head = Checkpoint.trusted(found["checkpoint"].encode(), key, served.estate.holdfast.ledger.origin)
    path = [bytes.fromhex(step) for step in found["path"]]
    assert root_from_inclusion(leaf_hash(found["entry"].encode()), 5, head.size, path) == head.root


def test_the_metrics_say_where_models_stand(served: Any) -> None:
    with served.client("read") as client:
        text = client.get("/metrics").text
    assert 'holdfast_models{verdict="passed"}' in text
    assert "holdfast_request_seconds" in text


def test_a_model_page_draws_what_was_measured_and_tables_it(served: Any) -> None:
    with served.client("admin") as client:
        text = client.get("/estate/models/card-fraud").text
    assert text.count("<svg xmlns") == text.count("The same numbers as a table") >= 1
    assert 'fill="#' not in text
    assert "var(--plot-1)" in text
    assert text.count("evasion.robust_recall,") == 1, "a property stands once, with all its points"


def test_the_pack_is_for_those_who_may_take_it(served: Any) -> None:
    with served.client("analyst") as analyst, served.client("lending") as lender:
        assert analyst.get("/comply/pack.zip").status_code == 403
        assert lender.get("/comply/pack.zip").status_code == 403


def test_a_twin_is_plain_json(served: Any) -> None:
    with served.client("admin") as client:
        answer = client.get("/api/estate/models/card-fraud")
    assert isinstance(answer, httpx.Response)
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.content)["plots"][0]["series"][0]["points"]


def test_a_pack_that_was_downloaded_verifies_elsewhere(served: Any, tmp_path: Any) -> None:
    import io
    import zipfile

    from holdfast.comply.pack import verify_pack

    with served.client("auditor") as auditor:
        answer = auditor.get("/comply/pack.zip?framework=DORA&as_of=2026-01-05T12:10:00Z")
        assert auditor.get("/comply/pack.zip?framework=NOPE").status_code == 404
    assert answer.status_code == 200, answer.text[:500]
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path / "pack")
    assert verify_pack(tmp_path / "pack", served.estate.holdfast.public_key).exit_code == 0
