"""Models and their companions that are documents: MLmodel, notebooks, XML, skops archives."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from holdfast.scan import scan

XML = '<?xml version="1.0"?>'


def verdict(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    report = scan(path)
    coverage = report.coverage
    assert coverage.parsed + coverage.skipped_by_shape + coverage.unread == path.stat().st_size
    return str(report.verdict)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    model_path: model.pkl\n", "clean"),
        ("flavors:\n  python_function:\n    loader_module: os\n", "blocked"),
        ("flavors:\n  python_function:\n    loader_module: acme_loader\n", "unknown"),
        ("flavors:\n  python_function:\n    loader_module: mlflowevil\n", "unknown"),
        ("flavors:\n  sklearn:\n    model_path: ../../etc/passwd\n", "blocked"),
        ("flavors:\n  sklearn:\n    model_path: /etc/passwd\n", "blocked"),
        ("flavors:\n  python_function:\n    code: code\n", "review"),
        ("flavors:\n  a: !!python/object/apply:os.system ['id']\n", "blocked"),
        ("flavors:\n  a: &x [1]\n  b: *x\n", "unknown"),
        ("flavors:\n  a: [1\n", "unknown"),
    ],
)
def test_mlmodel(tmp_path: Path, text: str, wanted: str) -> None:
    assert verdict(tmp_path / "MLmodel", text) == wanted


def notebook(source: str, output: str = "") -> str:
    outputs = [{"output_type": "display_data", "data": {"text/html": [output]}}] if output else []
    cell = {"cell_type": "code", "source": [source], "outputs": outputs, "metadata": {}}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (notebook("%pip install xgboost\nmodel.fit(X, y)"), "clean"),
        (notebook("exec(base64.b64decode('cHJpbnQoMSk='))"), "blocked"),
        (notebook("model = pickle.load(open('m.pkl', 'rb'))"), "review"),
        (notebook("1", "<script>fetch('x')</script>"), "review"),
        ('{"cells": [], "nbformat": 4', "unknown"),
    ],
)
def test_notebooks(tmp_path: Path, text: str, wanted: str) -> None:
    assert verdict(tmp_path / "n.ipynb", text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (XML + '<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><Header/><DataDictionary/></PMML>', "clean"),
        (XML + '<net name="m" version="11"><layers><layer id="0" type="Relu"/></layers></net>', "clean"),
        (XML + '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><net name="&x;"><layers/></net>', "blocked"),
        (
            XML + '<!DOCTYPE r [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><net name="m"><layers>&b;</layers></net>',
            "blocked",
        ),
        (XML + '<net name="m"><layers><layer library="../../x.so" type="C"/></layers></net>', "blocked"),
        (XML + '<net name="m"><layers><layer library="x.so" type="C"/></layers></net>', "unknown"),
        (XML + "<net name='m'><layers>" + "<a>" * 2000 + "</a>" * 2000 + "</layers></net>", "unknown"),
        (XML + '<net name="m"><layers>', "unknown"),
    ],
)
def test_xml(tmp_path: Path, text: str, wanted: str) -> None:
    assert verdict(tmp_path / "m.xml", text) == wanted


def skops(node: object) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", json.dumps(node))
    return file.getvalue()


def node(loader: str, module: str, name: str, content: object = None) -> dict[str, object]:
    return {"__class__": name, "__module__": module, "__loader__": loader, "content": content}


@pytest.mark.parametrize(
    ("tree", "wanted"),
    [
        (
            node(
                "ObjectNode",
                "sklearn.linear_model._logistic",
                "LogisticRegression",
                node("DictNode", "builtins", "dict"),
            ),
            "clean",
        ),
        (node("NdArrayNode", "numpy", "float64"), "clean"),
        (node("FunctionNode", "os", "function", {"module_path": "os", "function": "system"}), "blocked"),
        (node("FunctionNode", "os", "system"), "blocked"),
        (node("FunctionNode", "numpy", "log1p"), "clean"),
        (node("ObjectNode", "os", "system"), "blocked"),
        (
            node("MethodNode", "builtins", "method", {"func": "x", "obj": node("ObjectNode", "subprocess", "Popen")}),
            "blocked",
        ),
        (node("OperatorFuncNode", "operator", "methodcaller"), "blocked"),
        (node("ObjectNode", "acme", "Model"), "unknown"),
        (node("NewNode", "builtins", "dict"), "unknown"),
        ({"__class__": 1, "__loader__": "ObjectNode"}, "unknown"),
    ],
)
def test_skops(tmp_path: Path, tree: object, wanted: str) -> None:
    assert verdict(tmp_path / "m.skops", skops(tree)) == wanted
