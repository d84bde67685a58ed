"""Package names that look like those of well-known ones: how malware waits for a slip of the finger.

A short list of our own, of what models are built with. A near name is a reason to look, not a proof.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final
from urllib.parse import quote

from packaging.utils import canonicalize_name

from holdfast.scan.packages import Lock

MIN_LETTERS: Final = 5
"""Shorter names have honest neighbours everywhere."""
MAX_LETTERS: Final = 60

_KNOWN_NAMES: Final = """
    accelerate aiohttp anthropic beautifulsoup4 bentoml bitsandbytes boto3 botocore catboost category-encoders certifi
    chromadb cloudpickle colorama cryptography dask datasets diffusers django evaluate fastapi fickling flask gensim
    gradio gunicorn huggingface-hub imbalanced-learn ipython jinja2 joblib jupyter keras kubernetes langchain lightgbm
    litellm llama-index matplotlib mlflow networkx nltk numba numpy onnx onnxruntime openai opencv-python openpyxl
    optbinning optuna pandas paramiko peft pillow plotly polars protobuf psutil psycopg2 pyarrow pycryptodome pydantic
    pyspark pytest python-dateutil pytorch-lightning pyyaml requests safetensors scikit-image scikit-learn scipy seaborn
    selenium sentence-transformers sentencepiece setuptools shap skl2onnx skops sqlalchemy statsmodels streamlit
    tensorboard tensorflow termcolor tiktoken tokenizers torch torchaudio torchvision tornado tqdm transformers
    typing-extensions ultralytics uvicorn urllib3 virtualenv wandb websockets xformers xgboost
"""
KNOWN: Final = frozenset(_KNOWN_NAMES.split())
_HONEST_NAMES: Final = """
    gensio gwebsockets network wand websocketd willow xtermcolor
    boto cupy cuml dataset datashape keras2onnx panda panel pandera pillow-simd
    polar polaris psutils psycopg psycopg3 pycryptodomex scapy shape shapely skope tensorboardx unicorn websocket
"""
_HONEST: Final = frozenset(_HONEST_NAMES.split())
"""Neighbours of the known ones that are, or may be, packages of their own; where in doubt we stay silent."""
_CONFUSIONS: Final = {
    "beautifulsoup": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "opencv": "opencv-python",
    "pil": "pillow",
    "python-torch": "torch",
    "pytorch": "torch",
    "scikitlearn": "scikit-learn",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "tensor-flow": "tensorflow",
    "yaml": "pyyaml",
}
"""What people type for something else, by the name of its module or by habit."""
_HABITS: Final = {"pytorch": "torch", "sklearn": "scikit-learn"}
"""Of those, what is typed so often that a slip in it looks like the well-known one too."""
_DECORATIONS: Final = ("python-", "python3-", "py-", "lib", "official-", "real-", "new-", "os-", "sys-")
_ENDINGS: Final = (
    *("-python", "-python3", "-py", "-official", "-real", "-fixed", "-secure"),
    *("-new", "-patched", "-req", "-update", "-updated"),
)
_FOREIGN: Final = str.maketrans("авекмнорстухіјѕԁɡιοανρτυκ", "abekmhopctyxijsdgioavptuk")
"""Letters of other alphabets that are drawn like ours."""
_ALIKE: Final = str.maketrans({"0": "o", "1": "l", "5": "s", "i": "l"})
_KEYS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


@dataclass(frozen=True, slots=True)
class Likeness:
    """`known` is the name it looks like.

    `way` is confusion, foreign-letter, drawn-alike, joined, decorated, keyboard or one-letter.
    """

    known: str
    way: str


def near_names(lock: Lock) -> Iterator[tuple[str, str, Likeness]]:
    """Package URL, name and likeness of whatever a lock names on PyPI that looks like a well-known package."""
    for package in lock.packages:
        near = likeness(package.name) if package.kind == "pypi" else None
        if near is not None:
            yield package.purl, package.name, near
    for line in lock.unpinned:
        near = likeness(line.name) if line.kind == "pypi" else None
        if near is not None:
            yield f"pkg:pypi/{quote(canonicalize_name(line.name), safe='._-')}", line.name, near


def likeness(name: str) -> Likeness | None:
    """The well-known package that `name` looks like without being it; None where it looks like none."""
    own = canonicalize_name(name)
    if own in KNOWN or own in _HONEST or len(own) > MAX_LETTERS:
        return None
    if not own.isascii():
        return _foreign(own)
    if own in _CONFUSIONS:
        return Likeness(_CONFUSIONS[own], "confusion")
    return _drawn(own) or _decorated(own) or _slip(own)


def _foreign(own: str) -> Likeness | None:
    """Accents dropped and letters of other alphabets replaced by those they are drawn like."""
    plain = unicodedata.normalize("NFKD", own).translate(_FOREIGN).encode("ascii", "ignore").decode()
    if plain in KNOWN:
        return Likeness(plain, "foreign-letter")
    near = likeness(plain)
    return None if near is None else Likeness(near.known, "foreign-letter")


def _drawn(own: str) -> Likeness | None:
    """The same to the eye (nurnpy), or the same but for its dashes."""
    for way, bare in (("drawn-alike", _shape), ("joined", _joined)):
        known = _by(bare).get(bare(own))
        if known is not None:
            return Likeness(known, way)
    return None


def _shape(name: str) -> str:
    return name.translate(_ALIKE).replace("rn", "m").replace("vv", "w")


def _joined(name: str) -> str:
    return name.replace("-", "")


@cache
def _by(bare: Callable[[str], str]) -> dict[str, str]:
    return {bare(name): name for name in sorted(KNOWN) if len(name) >= MIN_LETTERS}


def _decorated(own: str) -> Likeness | None:
    """A well-known name with a word of trust around it."""
    inner = [own.removeprefix(word) for word in _DECORATIONS if own.startswith(word)]
    inner += [own.removesuffix(word) for word in _ENDINGS if own.endswith(word)]
    found = next((name for name in inner if name in KNOWN and len(name) >= MIN_LETTERS), None)
    return None if found is None else Likeness(found, "decorated")


def _slip(own: str) -> Likeness | None:
    """One letter more, less, other, or two swapped, behind the first letter or at it."""
    for typed, known in _slippery():
        if abs(len(typed) - len(own)) <= 1 and _one_slip(own, typed):
            return Likeness(known, "keyboard" if _neighbours(own, typed) else "one-letter")
    return None


@cache
def _slippery() -> tuple[tuple[str, str], ...]:
    """What is typed and what is meant, of names long enough that a slip tells something."""
    meant = {**dict(zip(KNOWN, KNOWN, strict=True)), **_HABITS}
    return tuple(sorted(item for item in meant.items() if len(item[0]) >= MIN_LETTERS))


def _one_slip(a: str, b: str) -> bool:
    """Whether the Damerau-Levenshtein distance of two different names is one."""
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    if len(a) == len(b):
        swapped = a[start : start + 2] == b[start : start + 2][::-1] and a[start + 2 :] == b[start + 2 :]
        return swapped or a[start + 1 :] == b[start + 1 :]
    longer, shorter = (a, b) if len(a) > len(b) else (b, a)
    return longer[start + 1 :] == shorter[start:]


def _neighbours(a: str, b: str) -> bool:
    """Whether the one letter that differs lies beside the right one on a keyboard."""
    pairs = ["".join(pair) for pair in zip(a, b, strict=False) if pair[0] != pair[1]]
    return len(a) == len(b) and len(pairs) == 1 and any(pairs[0] in row or pairs[0][::-1] in row for row in _KEYS)
