"""The allowlist holds what models need and nothing that reaches out, and is what its generator writes."""

from __future__ import annotations

import hashlib
import json
import textwrap
from datetime import date
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import FormatError
from holdfast.scan import allowlist
from holdfast.scan.allowlist import NAMES, Allowlist, Standing
from holdfast.scan.allowlist.generate import build, entries, write
from holdfast.scan.allowlist.header import sealed, version_of
from holdfast.scan.allowlist.index import Index
from holdfast.scan.allowlist.pins import PINS, pins, read_pins
from holdfast.scan.allowlist.seeds import SEEDS
from holdfast.scan.allowlist.sources import Distribution, Source
from holdfast.scan.allowlist.tools import purpose
from holdfast.scan.allowlist.unneeded import UNNEEDED

REACHES_OUT = [
    *("numpy.load", "numpy.save", "numpy.memmap", "numpy.fromfile", "numpy.genfromtxt"),
    *(
        "numpy.lib._datasource.DataSource",
        "numpy.DataSource",
        "numpy.lib.npyio.DataSource",
        "numpy.testing._private.utils.runstring",
    ),
    *("numpy.f2py.compile", "numpy.distutils.exec_command.exec_command", "numpy._core.memmap.memmap"),
    *("pandas.read_pickle", "pandas.io.pickle.read_pickle", "pandas.read_csv", "pandas.eval"),
    *("pandas.core.computation.eval.eval", "pandas.io.common.urlopen", "pandas.io.common.get_handle"),
    *("scipy.io.loadmat", "scipy.io.matlab._mio.loadmat", "scipy.datasets._fetchers.fetch_data"),
    *("sklearn.datasets._openml._open_openml_url", "sklearn.datasets.fetch_openml", "sklearn.datasets.load_files"),
    *("joblib.load", "joblib.numpy_pickle.load", "joblib.dump"),
    *(
        "joblib.externals.cloudpickle.cloudpickle.subimport",
        "joblib.func_inspect.get_func_code",
    ),
    *("os.system", "posix.system", "nt.system", "subprocess.Popen", "builtins.eval", "builtins.exec", "builtins.open"),
    *(
        "builtins.map",
        "builtins.setattr",
        "types.MethodType",
        "pytz.timezone",
        "pytz.open_resource",
        "builtins.__import__",
        "importlib.import_module",
    ),
    *("operator.attrgetter", "operator.methodcaller", "types.FunctionType", "types.CodeType", "marshal.loads"),
    *("pickle.loads", "shutil.rmtree", "socket.socket", "functools.reduce", "itertools.starmap", "_codecs.decode"),
    *("torch.load", "torch.save", "torch.hub.load", "torch.utils.cpp_extension.load", "torch.jit.load"),
    *("torch.package.PackageImporter", "torch.serialization.load", "torch.fx.graph_module.reduce_graph_module"),
    *("torch.utils.data.datapipes.iter.fileopener.FileOpenerIterDataPipe", "torch.distributed.rpc.rpc_sync"),
    *("torch._inductor.codecache.PyCodeCache", "catboost.datasets.amazon", "cloudpickle.loads", "dill.loads"),
    *("torch._C.PyTorchFileWriter", "torch._C._aoti.AOTIModelContainerRunnerCpu", "torch._C.CompilationUnit"),
    *("torch.cuda.memory.CUDAPluggableAllocator", "torch.xpu.XPUPluggableAllocator", "torch.serialization._open_file"),
    *("torch.fx.graph_module.GraphModule", "torch.fx.GraphModule", "torch.jit.CompilationUnit"),
    *("dill._dill._create_function", "dill._dill._create_code", "cloudpickle.cloudpickle._make_function"),
    *("scipy.stats._continuous_distns.norm_gen", "scipy.stats._distn_infrastructure.rv_continuous"),
    *("scipy.stats.rv_continuous", "scipy.stats.rv_discrete", "scipy.stats._levy_stable.levy_stable_gen"),
    *("pandas.io.parsers.readers.TextFileReader", "pandas.read_stata", "scipy.io.netcdf_file"),
    *("requests.get", "jinja2.Template", "sqlalchemy.create_engine", "pip.main", "flask.Flask", "polars.read_csv"),
    *("logging.FileHandler", "logging.config.listen", "webbrowser.open", "pdb.run", "timeit.timeit", "code.interact"),
    *("__builtin__.eval", "commands.getoutput", "urllib2.urlopen", "test.support.script_helper.assert_python_ok"),
]
OPENS_WHEN_CALLED = [
    *("numpy.lib._npyio_impl.NpzFile", "pandas.HDFStore", "pandas.ExcelFile", "lightgbm.basic.Booster"),
    *("xgboost.core.Booster", "joblib.memory.Memory", "joblib.externals.loky.backend.popen_loky_posix.Popen"),
]
NEEDED = {
    "sklearn.ensemble._forest.RandomForestClassifier": "c",
    "sklearn.pipeline.Pipeline": "c",
    "sklearn.tree._tree.Tree": "c",
    "numpy.ndarray": "c",
    "numpy.core.multiarray._reconstruct": "c",
    "numpy._core.multiarray._reconstruct": "c",
    "numpy.log1p": "v",
    "pandas.DataFrame": "h",
    "lightgbm.basic.Booster": "n",
    "xgboost.core.Booster": "n",
    "joblib.numpy_pickle.NumpyArrayWrapper": "c",
    "torch.nn.modules.linear.Linear": "c",
    "torch._utils._rebuild_tensor_v2": "c",
    "torch.FloatStorage": "c",
    "torch.Size": "c",
    "torch.float32": "c",
    "pandas.NA": "c",
    "xgboost.sklearn.XGBRanker": "c",
    "sklearn.model_selection._classification_threshold._CurveScorer": "c",
    "pytz._p": "c",
    "pyarrow.lib._restore_array": "c",
    "torch.serialization._get_layout": "c",
    "torch.storage._load_from_bytes": "r",
    "imblearn.pipeline.Pipeline": "c",
    "builtins.getattr": "r",
    "builtins.type": "r",
    "dill._dill._load_type": "r",
    "dill._dill._create_namedtuple": "r",
    "dill._dill._eval_repr": "r",
    "copyreg._reconstructor": "r",
}


@pytest.mark.parametrize("name", REACHES_OUT)
def test_what_reaches_out_is_not_listed(name):
    assert Allowlist.builtin().mode(name) == ""
    assert Allowlist.builtin().standing(name) is Standing.DENIED


@pytest.mark.parametrize("name", OPENS_WHEN_CALLED)
def test_what_opens_when_called_may_not_be_called(name):
    assert Allowlist.builtin().mode(name) in ("", "n")


@pytest.mark.parametrize(("name", "mode"), NEEDED.items())
def test_what_models_need_is_listed(name, mode):
    assert Allowlist.builtin().mode(name) == mode


def test_a_package_nobody_examined_is_unknown():
    assert Allowlist.builtin().standing("somebody.Model") is Standing.UNKNOWN


def test_tools_of_a_library_are_not_listed():
    found = build([Distribution("torch", "1", tuple(
        Source(f"torch.{name}", ".py", b"class Plain: pass", is_package=False) for name in ("hub", "nn", "hubs")
    ))])["names"]  # fmt: skip
    assert "torch.hub" not in found
    assert {"torch.nn", "torch.hubs"} <= set(found)
    assert (purpose("torch._dynamo.variables.base"), purpose("torchvision")) == ("compiler and code generation", "")


@pytest.mark.parametrize(("home", "listed"), [("pandas.io.stata", False), ("pandas.core.stata", True)])
def test_a_tool_stays_one_under_the_module_it_says_it_is_of(home, listed):
    code = b"@set_module('pandas.api.typing')\nclass StataReader: pass"
    found = build([Distribution("pandas", "1", (Source(home, ".py", code, is_package=False),))])["names"]
    assert ("pandas.api.typing" in found) is listed


def test_the_list_inside_holds_no_tool_but_what_is_written_by_hand():
    by_hand = {f"{module}.{name}" for module, _, names, _ in SEEDS for name in names.split()}
    assert [name for name in Allowlist.builtin().modes if purpose(name) and name not in by_hand] == []


def test_what_was_examined_and_what_models_do_not_need_do_not_overlap():
    data = json.loads(NAMES.read_bytes())
    unneeded = [name for names in UNNEEDED.values() for name in names.split()]
    assert len(unneeded) == len(set(unneeded))
    assert not set(unneeded) & {*data["covered"], *data["standard"]}
    assert data["unneeded"] == {use: " ".join(sorted(names.split())) for use, names in UNNEEDED.items()}
    assert all(name.isidentifier() for name in unneeded)


def test_the_list_stays_small():
    assert NAMES.stat().st_size < 1 << 20


def test_the_version_is_the_digest_of_all_that_the_list_holds_and_pinned():
    found = Allowlist.builtin()
    assert found.version == found.header.version == version_of(json.loads(NAMES.read_bytes()))
    assert any(source.startswith("scikit-learn ") for source in found.sources)


def test_the_pins_are_the_libraries_that_were_read():
    """From these files anybody can fetch the same wheels and write the same list."""
    pinned = [sorted(read_pins(path.read_text("utf-8"))) for path in sorted(PINS.glob("*.txt"))]
    read = [
        sorted((one.name, one.version) for one in generation) for generation in Allowlist.builtin().header.generations
    ]
    assert sorted(pinned) == sorted(read), "write them: python -m holdfast.scan.allowlist.pins FOLDER..."


def test_pins_are_of_the_bytes_of_wheels(tmp_path):
    wheel = tmp_path / "scikit_learn-1.9.1-cp311-none-any.whl"
    wheel.write_bytes(b"wheel")
    text = pins([wheel])
    assert text == f"scikit-learn==1.9.1 --hash=sha256:{hashlib.sha256(b'wheel').hexdigest()}\n"
    assert read_pins("# why\n" + text) == [("scikit-learn", "1.9.1")]
    with pytest.raises(ValueError, match="no pin"):
        read_pins("scikit-learn==1.9.1\n")


DAY = date(2026, 1, 2)


@cache
def toy_list() -> dict:
    return sealed(build([distribution(models="class Plain: pass")]), DAY)


def places(value, path=()):
    """Every place in a JSON value, the containers included."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


@given(st.data())
def test_no_part_of_a_list_can_be_changed_unseen(data):
    document = json.loads(json.dumps(toy_list()))
    assert Allowlist.parse(json.dumps(document).encode()).mode("toy.models.Plain") == "c"
    path = data.draw(st.sampled_from([one for one in places(document) if one]))
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    if data.draw(st.booleans()) or not isinstance(holder[path[-1]], str):
        del holder[path[-1]]
    else:
        holder[path[-1]] += "x"
    with pytest.raises(FormatError) as refused:
        Allowlist.parse(json.dumps(document).encode())
    assert refused.value.code in ("HF-SCN-003", "HF-SCN-004")


@given(st.binary(max_size=200))
def test_what_is_no_list_is_refused(raw):
    with pytest.raises(FormatError, match="cannot be read"):
        Allowlist.parse(raw)


def test_the_list_inside_is_the_one_the_code_names(tmp_path, monkeypatch):
    """A list that agrees with itself is still not the one inside."""
    other = tmp_path / "names.json"
    write(toy_list(), other)
    monkeypatch.setattr(allowlist, "NAMES", other)
    monkeypatch.setattr(Allowlist, "builtin", Allowlist.__dict__["builtin"].__func__.__wrapped__.__get__(Allowlist))
    with pytest.raises(FormatError, match="altered") as refused:
        Allowlist.builtin()
    assert refused.value.code == "HF-SCN-003"


def test_another_schema_is_refused():
    with pytest.raises(FormatError, match="cannot be read") as refused:
        Allowlist.parse(b'{"schema": 1}')
    assert "schema 1" in refused.value.cause


MODULE = """
import os, subprocess, importlib, socket, pickle
load, loads = pickle.load, pickle.loads
from urllib.request import urlopen

class Plain:
    def __init__(self, n): self.n = n
    def predict(self, X): return X

class ReadsAtInit:
    def __init__(self, path): self.data = open(path).read()

class ReadsAtLoad:
    def __setstate__(self, state): self.data = open(state["path"]).read()

class ReadsThroughHelper:
    def __setstate__(self, state): helper(state)

class RemovesAtEnd:
    def __del__(self): os.remove(self.path)

class Inherits(ReadsAtLoad):
    pass

class RunsAtPredict:
    def predict(self, X): return eval(self.expression)

class ReadsWhenIterated:
    def __iter__(self): return iter(open(self.path))

class ReadsThroughItsModule:
    def __next__(self): return opened(self.path)

class RunsForward:
    def forward(self, x): return eval(self.expression)

class CallsItsArgument:
    def __init__(self, function): self.value = function()

class Connects:
    def __setstate__(self, state): socket.create_connection(state)

class ImportsByName:
    def __setstate__(self, state): self.module = importlib.import_module(state["name"])

class ImportsItsOwn:
    def __setstate__(self, state):
        self.module = importlib.import_module("json")
        self.__dict__.update(state)

class ForeignBase(subprocess.Popen):
    pass

class Unpickles(pickle.Unpickler):
    pass

class Reduced:
    def __reduce__(self): return (make, (self.n,))

class ReducedToShell:
    def __reduce__(self): return (shell, (self.command,))

class Machine:
    def eval(self, data): return data

class Template:
    def __setstate__(self, state): self.attach()
    def attach(self): raise NotImplementedError

class FillsTheTemplate(Template):
    def attach(self): exec(self.text)

class SetsAProperty:
    def __setstate__(self, state): self.code = state
    @property
    def code(self): return self._code
    @code.setter
    def code(self, text): exec(text)

class AsksItsMachine:
    def machine(self) -> "Machine": return self.found
    def score(self, X): return self.machine().eval(X)

class AsksSomebody:
    def machine(self): return self.found
    def score(self, X): return self.machine().eval(X)

class Evaluator:
    def eval(self, text): return eval(text)

class AsksAnEvaluator:
    def machine(self) -> Evaluator: return self.found
    def __setstate__(self, state): self.machine().eval(state)

class AsksAFunction:
    def __setstate__(self, state): evaluator().eval(state)

def evaluator() -> Evaluator: return Evaluator()
def opened(path): return open(path)
def helper(state): return urlopen(state["url"])
def make(n): return Plain(n)
def shell(command): return os.system(command)
def _unpickle_plain(n): return Plain(n)
def _unpickle_any(factory): return factory()
def double(x): return 2 * x
def unpickle_renamed(data): return loads(data)
def unpickle_inside(file): return Unpickles(file).load()
def any_method(x, name): return getattr(x, name)()
"""
EXPECTED = {
    "Plain": "c",
    "ReadsAtInit": "n",
    "ReadsAtLoad": "",
    "ReadsThroughHelper": "",
    "RemovesAtEnd": "",
    "Inherits": "",
    "RunsAtPredict": "",
    "ReadsWhenIterated": "",
    "ReadsThroughItsModule": "",
    "RunsForward": "",
    "CallsItsArgument": "h",
    "Connects": "",
    "ImportsByName": "",
    "ImportsItsOwn": "c",
    "ForeignBase": "",
    "Template": "c",
    "FillsTheTemplate": "",
    "SetsAProperty": "",
    "AsksItsMachine": "c",
    "AsksSomebody": "",
    "AsksAnEvaluator": "",
    "AsksAFunction": "",
    "Reduced": "c",
    "helper": "",
    "make": "c",
    "shell": "",
    "_unpickle_plain": "c",
    "_unpickle_any": "h",
    "double": "v",
    "Unpickles": "",
    "unpickle_renamed": "",
    "unpickle_inside": "",
    "any_method": "",
}


def distribution(**files: str) -> Distribution:
    sources = [Source("toy", ".py", b"from toy.models import Plain\n", is_package=True)]
    sources += [
        Source(f"toy.{name}", ".py", textwrap.dedent(text).encode(), is_package=False) for name, text in files.items()
    ]
    return Distribution("toy", "1.0", tuple(sources))


@pytest.mark.parametrize(("name", "mode"), EXPECTED.items())
def test_the_generator_tells_hooks_that_reach_out(name, mode):
    index = Index(distribution(models=MODULE).sources)
    found = {entry: kind for module, entry, kind in entries(index) if module == "toy.models"}
    assert found[name] == mode


def test_names_are_listed_where_a_package_offers_them():
    index = Index(distribution(models=MODULE).sources)
    assert ("toy", "Plain", "c") in set(entries(index))


def test_the_data_file_is_the_same_for_the_same_sources():
    once, again = (build([distribution(models=MODULE)]) for _ in range(2))
    assert once == again
    assert once["covered"] == ["toy"]


def test_compiled_classes_are_found_in_their_binaries():
    content = b"\0toy._tree.Tree\0toy._tree.Tree.__reduce_cython__\0__pyx_unpickle_Tree\0"
    index = Index([Source("toy._tree", ".so", content, is_package=False)])
    found = {entry: kind for _, entry, kind in entries(index)}
    assert found == {"Tree": "c", "__pyx_unpickle_Tree": "h"}
    unsafe = Index([Source("toy._tree", ".so", content + b"\0popen\0", is_package=False)])
    assert {kind for _, _, kind in entries(unsafe)} == {""}


def test_a_name_is_listed_as_far_as_every_generation_allows():
    safe, opens, reads = (
        "class Model: pass",
        "class Model:\n    def __init__(self, path): self.data = open(path)",
        "class Model:\n    def __setstate__(self, state): self.data = open(state)",
    )

    def mode(*texts):
        names = build(*([distribution(models=text)] for text in texts))["names"].get("toy.models", {})
        return next((mode for mode, listed in names.items() if "Model" in listed.split()), "")

    assert [mode(safe), mode(opens), mode(reads)] == ["c", "n", ""]
    assert mode(safe, opens) == mode(opens, safe) == "n"
    assert mode(safe, reads, opens) == ""
    assert mode(safe, "class Other: pass") == "c"


def test_named_tuples_and_aliases_of_stubs_are_names():
    text = "from collections import namedtuple\nTriple = namedtuple('Triple', ['a'])\nother = open('file')\n"
    index = Index(distribution(models=text).sources)
    assert {entry: kind for module, entry, kind in entries(index) if module == "toy.models"} == {"Triple": "c"}
    stub = b"class signed: ...\nint64 = signed[int]\nthing = unknown[int]\n"
    index = Index([Source("toy", ".pyi", stub, is_package=True)])
    assert {entry: kind for _, entry, kind in entries(index)} == {"signed": "c", "int64": "c"}


def test_constants_of_stubs_may_be_called_only_where_that_is_an_error():
    stub = b"class Kind:\n    name: str\nclass Runs:\n    def __call__(self): ...\nclass Derived(Runs): ...\n"
    stub += b"class Assigned:\n    __call__: object\nkind: Kind\nruns: Runs\nderived: Derived\nassigned: Assigned\n"
    index = Index([Source("toy", ".pyi", stub, is_package=True)])
    found = {entry: kind for _, entry, kind in entries(index) if entry.islower()}
    assert found == {"kind": "c", "runs": "v", "derived": "v", "assigned": "v"}


def test_a_stub_vouches_for_no_class_that_a_source_shows_three_stars_away():
    sources = [
        Source("toy", ".py", b"from .lib import *", is_package=True),
        Source("toy", ".pyi", b"class Opens: ...", is_package=True),
        Source("toy.lib", ".py", b"from .io import *", is_package=True),
        Source("toy.lib.io", ".py", b"from ._source import Opens", is_package=False),
        Source("toy.lib._source", ".py", b"class Opens:\n  def __setstate__(self, s): open(s)", is_package=False),
    ]
    assert {kind for _, name, kind in entries(Index(sources)) if name == "Opens"} == {""}
