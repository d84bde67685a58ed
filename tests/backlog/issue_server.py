"""A real tracker for tests: HTTP on a real socket, issues in SQLite, ETags against lost updates, keys on repeats."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "secret-of-the-test"
SCHEMA = """
CREATE TABLE IF NOT EXISTS issues (number INTEGER PRIMARY KEY, title TEXT, body TEXT, state TEXT, labels TEXT,
  updated REAL, revision INTEGER, key TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS comments (id INTEGER PRIMARY KEY, issue INTEGER, body TEXT, key TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS requests (id INTEGER PRIMARY KEY, method TEXT, path TEXT, status INTEGER);
"""


class IssueServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, database: Path, port: int = 0, *, keys: bool = True) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.database, self.keys, self.lock = database, keys, threading.Lock()
        self.broken: int | None = None
        self.strike: Callable[[str], None] | None = None
        """Called when a request was carried out and its answer is not sent yet."""
        with closing(self.open()) as sql:
            sql.executescript(SCHEMA)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed leave their connections broken; that is what the tests are about."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def open(self) -> sqlite3.Connection:
        sql = sqlite3.connect(self.database, timeout=20)
        sql.row_factory = sqlite3.Row
        return sql

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with self.lock, closing(self.open()) as sql, sql:
            return [dict(row) for row in sql.execute(query, values)]

    def edit(self, number: int, **changes: Any) -> None:
        """What a person does in the tracker's own pages."""
        for name, value in changes.items():
            self.rows(f"UPDATE issues SET {name} = ? WHERE number = ?", value, number)
        self.rows("UPDATE issues SET revision = revision + 1, updated = ? WHERE number = ?", time.time(), number)


class Handler(BaseHTTPRequestHandler):
    server: IssueServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.answer()

    do_POST = do_GET  # noqa: N815
    do_PATCH = do_GET  # noqa: N815

    def answer(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, body, etag = self.route(parts.path.strip("/").split("/"), query, json.loads(data) if data else {})
        self.server.rows(
            "INSERT INTO requests (method, path, status) VALUES (?, ?, ?)", self.command, parts.path, status
        )
        if self.server.strike is not None:
            self.server.strike(f"{self.command} {parts.path}")
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        self.wfile.write(text)

    def route(self, path: list[str], query: dict[str, str], said: dict[str, Any]) -> tuple[int, Any, str | None]:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "who are you?"}, None
        if self.server.broken is not None:
            return self.server.broken, {"message": "down"}, None
        if path[:4] != ["repos", "bank", "risk", "issues"]:
            return 404, {"message": "no such place"}, None
        match (self.command, path[4:]):
            case ("GET", []):
                return 200, self.list(query), None
            case ("POST", []):
                return self.create(said)
            case ("GET", [number]):
                return self.one(number)
            case ("PATCH", [number]):
                return self.patch(number, said)
            case ("GET", [number, "comments"]):
                return 200, self.comments(number, query), None
            case ("POST", [number, "comments"]):
                return self.comment(number, said)
        return 404, {}, None

    def list(self, query: dict[str, str]) -> list[dict[str, Any]]:
        wanted = set(filter(None, query.get("labels", "").split(",")))
        order = "updated" if query.get("sort") == "updated" else "number"
        rows = self.server.rows(f"SELECT * FROM issues ORDER BY {order}, number")
        kept = [
            row
            for row in rows
            if wanted <= set(json.loads(row["labels"]))
            and query.get("state", "open") in ("all", row["state"])
            and row["updated"] >= float(query.get("since", "0").removesuffix("s"))
        ]
        return [shown(row) for row in page(kept, query)]

    def create(self, said: dict[str, Any]) -> tuple[int, Any, str | None]:
        key = self.headers.get("Idempotency-Key") if self.server.keys else None
        values = (said["title"], said["body"], json.dumps(said["labels"]), time.time(), key)
        try:
            self.server.rows(
                "INSERT INTO issues (title, body, state, labels, updated, revision, key) VALUES (?,?,'open',?,?,1,?)",
                *values,
            )
        except sqlite3.IntegrityError:
            (row,) = self.server.rows("SELECT * FROM issues WHERE key = ?", key)
            return 200, shown(row), etag(row)
        row = self.server.rows("SELECT * FROM issues ORDER BY number DESC LIMIT 1")[0]
        return 201, shown(row), etag(row)

    def one(self, number: str) -> tuple[int, Any, str | None]:
        rows = self.server.rows("SELECT * FROM issues WHERE number = ?", number)
        return (200, shown(rows[0]), etag(rows[0])) if rows else (404, {"message": "gone"}, None)

    def patch(self, number: str, said: dict[str, Any]) -> tuple[int, Any, str | None]:
        with self.server.lock, closing(self.server.open()) as sql, sql:
            sql.execute("BEGIN IMMEDIATE")
            row = sql.execute("SELECT * FROM issues WHERE number = ?", (number,)).fetchone()
            if self.headers.get("If-Match") not in (None, etag(dict(row))):
                return 412, {"message": "changed by somebody else"}, None
            for name in {"title", "body", "state"} & set(said):
                sql.execute(f"UPDATE issues SET {name} = ? WHERE number = ?", (said[name], number))
            sql.execute(
                "UPDATE issues SET revision = revision + 1, updated = ? WHERE number = ?", (time.time(), number)
            )
        return self.one(number)

    def comments(self, number: str, query: dict[str, str]) -> list[dict[str, Any]]:
        return page(self.server.rows("SELECT * FROM comments WHERE issue = ? ORDER BY id", number), query)

    def comment(self, number: str, said: dict[str, Any]) -> tuple[int, Any, str | None]:
        key = self.headers.get("Idempotency-Key") if self.server.keys else None
        try:
            self.server.rows("INSERT INTO comments (issue, body, key) VALUES (?, ?, ?)", number, said["body"], key)
        except sqlite3.IntegrityError:
            return 200, said, None
        return 201, said, None


def page(rows: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    size, number = int(query.get("per_page", "30")), int(query.get("page", "1"))
    return rows[size * (number - 1) : size * number]


def shown(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "number": row["number"],
        "title": row["title"],
        "body": row["body"],
        "state": row["state"],
        "labels": [{"name": name} for name in json.loads(row["labels"])],
        "updated_at": f"{row['updated']:020.6f}s",
        "html_url": f"http://tracker.example/{row['number']}",
    }


def etag(row: dict[str, Any]) -> str:
    return '"' + hashlib.sha256(f"{row['number']}/{row['revision']}".encode()).hexdigest()[:16] + '"'
