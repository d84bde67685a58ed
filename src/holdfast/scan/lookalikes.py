"""Package names that look like those of well-known ones: how malware waits for a slip of the finger.

A short list of our own, of what models are built with. A near name is a reason to look, not a proof.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from packaging.utils import canonicalize_name

MIN_LETTERS: Final = 5
"""Shorter names have honest neighbours everywhere."""
MAX_LETTERS: Final = 60

_KNOWN_NAMES: Final = """
    accelerate aiohttp anthropic bentoml boto3 botocore catboost category-encoders certifi cloudpickle cryptography
    dask datasets diffusers django evaluate fastapi fickling flask gradio gunicorn huggingface-hub imbalanced-learn
    ipython jinja2 joblib jupyter keras kubernetes langchain lightgbm llama-index matplotlib mlflow networkx nltk
    numba numpy onnx onnxruntime openai opencv-python optbinning optuna pandas peft pillow plotly polars protobuf
    psycopg2 pyarrow pydantic pyspark pytest python-dateutil pytorch-lightning pyyaml requests safetensors
    scikit-learn scipy seaborn selenium sentence-transformers sentencepiece setuptools shap skl2onnx skops sqlalchemy
    statsmodels streamlit tensorboard tensorflow tokenizers torch torchaudio torchvision tornado tqdm transformers
    uvicorn urllib3 virtualenv wandb xgboost
"""
KNOWN: Final = frozenset(_KNOWN_NAMES.split())
_HONEST_NAMES: Final = """
    boto cupy cuml dataset datashape keras2onnx panda panel pandera pillow-simd
    polar polaris psycopg psycopg3 scapy shape shapely skope tensorboardx unicorn
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
_DECORATIONS: Final = ("python-", "python3-", "py-", "lib", "official-", "real-")
_ENDINGS: Final = ("-python", "-python3", "-py", "-official", "-real", "-fixed", "-secure")
_ALIKE: Final = str.maketrans({"0": "o", "1": "l", "5": "s", "i": "l"})
_KEYS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


@dataclass(frozen=True, slots=True)
class Likeness:
    """`known` is the name it looks like; `way` is confusion, drawn-alike, joined, decorated, keyboard or one-letter."""

    known: str
    way: str


def likeness(name: str) -> Likeness | None:
    """The well-known package that `name` looks like without being it; None where it looks like none."""
    own = canonicalize_name(name)
    if own in KNOWN or own in _HONEST or len(own) > MAX_LETTERS:
        return None
    if own in _CONFUSIONS:
        return Likeness(_CONFUSIONS[own], "confusion")
    return _drawn(own) or _decorated(own) or _slip(own)


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
    for known in sorted(KNOWN):
        if len(known) >= MIN_LETTERS and abs(len(known) - len(own)) <= 1 and _one_slip(own, known):
            return Likeness(known, "keyboard" if _neighbours(own, known) else "one-letter")
    return None


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
