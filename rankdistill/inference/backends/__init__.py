"""Back ends that run a token model; each is one file with an `open` function, listed in `BACKENDS`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from rankdistill.errors import ConfigError

BACKENDS = {
    "torch": "rankdistill.inference.backends.torch_backend",
    "openvino": "rankdistill.inference.backends.openvino_backend",
    "onnx": "rankdistill.inference.backends.onnx_backend",
}
"""Name -> module with `open_backend(module, example, device, dtype) -> Backend`."""

_LIBRARY_OF = {"openvino": "openvino", "onnx": "onnxruntime"}


class Backend(Protocol):
    """Runs a model on padded token ids."""

    token_budget: int
    """Padded tokens of a batch that this back end is fastest with."""

    def run(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """The model's output as float32; `features` are int64[rows, longest]."""
        ...


def choose(name: str, device: str, dtype: str) -> str:
    """The back end that `name` stands for: `auto` takes the fastest one installed that computes in `dtype` on `device`.

    Raises:
        ConfigError: unknown name, or a back end that does not do `dtype` or `device`.
    """
    if name == "auto":
        if device != "cpu" or dtype != "float32":
            return "torch"
        return next((other for other, library in _LIBRARY_OF.items() if find_spec(library)), "torch")
    if name not in BACKENDS:
        raise ConfigError(
            expected=f"a back end among auto, {', '.join(BACKENDS)}",
            got=repr(name),
            consequence="no model was loaded",
            remedy="choose one of them",
        )
    if name != "torch" and (device != "cpu" or dtype != "float32"):
        raise ConfigError(
            expected=f"back end {name!r} on the CPU in float32, the only way it is used here",
            got=f"device {device!r}, dtype {dtype!r}",
            consequence="no model was loaded",
            remedy="use the torch back end",
        )
    return name


def open_backend(name: str, module: Any, example: Mapping[str, np.ndarray], device: str, dtype: str) -> Backend:
    """Prepare `module` (a torch module from features to one tensor) to run on back end `name`.

    Args:
        name: a key of `BACKENDS`.
        module: takes the tensors of `example`, in that order.
        example: small features to trace with; their shape does not matter afterwards.
        device: a torch device.
        dtype: `float32` or `bfloat16`.

    Raises:
        MissingDependencyError: the back end's library is not installed.
    """
    return import_module(BACKENDS[name]).open_backend(module, example, device, dtype)
