"""Parts of libraries that hold no model state: their tools for development, for running and for fetching.

The rule: a part whose purpose is to build, test, compile, profile, distribute, package or download leaves no object
in a trained model, so nothing of it is listed, whatever the analysis says. It stays in the analysis as a callee.
So does what the analysis cannot follow and is known to run what it is handed.
"""

from __future__ import annotations

from typing import Final

_PARTS: Final = {
    "compiler and code generation": (
        *("torch._inductor", "torch._dynamo", "torch._functorch", "torch._export", "torch._lazy", "torch._refs"),
        *("torch._decomp", "torch._prims", "torch._prims_common", "torch._higher_order_ops", "torch._logging"),
        *("torch._meta_registrations", "torch._vendor", "torch._native", "torch._library", "torch.library"),
        *("torch.fx.experimental", "torch.fx.passes", "torch.compiler", "torch.utils.cpp_extension", "torchgen"),
        *("torch.utils.hipify", "torch.utils._triton", "functorch", "torch.onnx", "torch.utils.mobile_optimizer"),
        *("torch.fx", "torch.jit", "torch.export", "torch.ao.quantization.fx", "torch.ao.quantization.pt2e"),
        *("torch.utils._sympy", "pandas.core.computation", "scipy._lib.decorator"),
    ),
    "what a library does in C code that no source shows": ("torch._C",),
    "memory of devices, for which native libraries are loaded": ("torch.cuda.memory", "torch.xpu.memory"),
    "classes that run a text of their state as code when they are loaded": (
        *("scipy.stats._distn_infrastructure", "scipy.stats._continuous_distns", "scipy.stats._discrete_distns"),
        *("scipy.stats._levy_stable", "statsmodels.distributions.discrete", "statsmodels.distributions.edgeworth"),
        "statsmodels.sandbox.distributions",
    ),
    "packing of functions and classes as code": ("cloudpickle", "dill", "joblib.externals.cloudpickle"),
    "tests, measurement and display": (
        *("torch.testing", "torch.profiler", "torch.autograd.profiler", "torch.utils.benchmark", "torch.monitor"),
        *("torch.utils.bottleneck", "torch.utils.tensorboard", "torch.utils.viz", "torch.utils.model_dump"),
        *("torch.utils.collect_env", "torch.utils.weak", "torch.autograd.gradcheck", "torch.ao.ns"),
        *("catboost.widget", "catboost.eval", "catboost.dev_utils", "statsmodels.graphics", "statsmodels.compat"),
        *("catboost.metrics", "statsmodels.tools.print_version", "optbinning.binning.multidimensional.plots"),
        *("statsmodels.tools._test_runner", "statsmodels.tools._testing", "torch.utils.show_pickle"),
        *("torch.utils._debug_mode", "torch.utils._strobelight", "numpy._pytesttester", "scipy._lib._testutils"),
    ),
    "running on several processes or machines": (
        *("torch.distributed", "torch.multiprocessing", "torch.utils.data._utils", "torch.utils.data.graph"),
        *("torch.futures", "joblib.externals.loky", "torch.backends.xeon", "xgboost.tracker", "xgboost.collective"),
    ),
    "fetching, packing and reading files": (
        *("torch.hub", "torch.package", "torch.utils.data.datapipes", "torch.utils.model_zoo"),
        *("torch.utils.file_baton", "torch.utils._import_utils", "torch.utils._zip", "torch.export.pt2_archive"),
        *("catboost.datasets", "catboost.hnsw", "catboost.text_processing", "statsmodels.datasets"),
        *("statsmodels.iolib.foreign", "sklearn.datasets", "scipy.datasets", "torch.serialization", "scipy.io"),
        *("torch.utils._content_store", "torch.utils.serialization", "pandas.io"),
    ),
}
PURPOSES: Final = {part: purpose for purpose, parts in _PARTS.items() for part in parts}
"""Part of a library to its purpose."""


def purpose(module: str) -> str:
    """What a module is a tool for; empty where it may hold model state."""
    names = module.split(".")
    inside = (".".join(names[:size]) for size in range(1, len(names) + 1))
    return next((PURPOSES[part] for part in inside if part in PURPOSES), "")
