"""The back ends by name, and which one a name stands for."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from rankdistill.errors import ConfigError
from rankdistill.inference.backends.base import Backend, BackendInfo, TokenModel
from rankdistill.inference.calibration import Pairs, hash_of

_HERE = "rankdistill.inference.backends"

_BF16 = ("amx_bf16", "avx512_bf16")
_INT8 = ("amx_int8", "avx512_vnni", "avx_vnni")

BACKENDS = {
    "torch": BackendInfo(f"{_HERE}.torch_float32", devices=("cpu", "cuda", "mps", "xpu")),
    "torch-bf16": BackendInfo(f"{_HERE}.torch_bf16", "bfloat16", ("cpu", "cuda", "xpu"), instructions=_BF16),
    "torch-fp16": BackendInfo(f"{_HERE}.torch_fp16", "float16", ("cuda", "mps", "xpu")),
    "onnx": BackendInfo(f"{_HERE}.onnx_float32", libraries=("onnx", "onnxruntime")),
    "onnx-int8": BackendInfo(f"{_HERE}.onnx_int8", "int8", libraries=("onnx", "onnxruntime"), instructions=_INT8),
    "openvino": BackendInfo(f"{_HERE}.openvino_float32", libraries=("openvino",)),
    "openvino-bf16": BackendInfo(f"{_HERE}.openvino_bf16", "bfloat16", libraries=("openvino",), instructions=_BF16),
    "openvino-int8": BackendInfo(
        f"{_HERE}.openvino_int8",
        "int8",
        libraries=("openvino", "nncf"),
        calibrated=True,
        instructions=_INT8,
    ),
}
"""Name -> back end. A new one is a file and a line here."""

FAST = "fast"
"""Stands for the back end that `rankdistill.inference.fastest` finds for a model on this processor."""

FASTEST_FIRST = ("openvino", "onnx", "torch")
"""The float32 back ends that `auto` looks for on the CPU."""


def choose(name: str, device: str) -> str:
    """The back end that `name` stands for on `device`: `auto` takes the fastest float32 one that is installed.

    `fast` is the same here: who measures asks `rankdistill.inference.fastest` first.

    Raises:
        ConfigError: unknown name, or a back end that does not run on `device`.
    """
    kind = device.partition(":")[0]
    if name in ("auto", FAST):
        return next(other for other in FASTEST_FIRST if kind in BACKENDS[other].devices and is_installed(other))
    if name not in BACKENDS:
        raise ConfigError(
            expected=f"a back end among auto, {FAST}, {', '.join(BACKENDS)}",
            got=repr(name),
            consequence="no model was loaded",
            remedy="choose one of them",
        )
    if kind not in BACKENDS[name].devices:
        able = [other for other, info in BACKENDS.items() if kind in info.devices]
        raise ConfigError(
            expected=f"one of the devices of back end {name!r}: {', '.join(BACKENDS[name].devices)}",
            got=repr(device),
            consequence="no model was loaded",
            remedy=f"take one of the back ends for it: {', '.join(able)}",
        )
    return name


def is_exact(name: str) -> bool:
    """Whether `name` computes in float32; what is no back end's name (sentence-transformers itself) does."""
    return name not in BACKENDS or BACKENDS[name].precision == "float32"


def is_calibrated(name: str) -> bool:
    """Whether the numbers of `name` depend on calibration pairs."""
    return name in BACKENDS and BACKENDS[name].calibrated


def backend_fingerprint(name: str, calibration: Pairs) -> dict[str, str]:
    """What the numbers owe to the back end: its name, precision and, where it was calibrated, with what."""
    found = {"backend": name, "dtype": BACKENDS[name].precision if name in BACKENDS else "float32"}
    return found | {"calibration": hash_of(calibration)} if is_calibrated(name) else found


def open_backend(name: str, model: TokenModel, device: str) -> Backend:
    """Prepare `model` to run on `device` by the back end `name`.

    Raises:
        MissingDependencyError: the back end's library is not installed.
    """
    return import_module(BACKENDS[name].module).open_backend(model, device)


def is_installed(name: str) -> bool:
    """Whether the libraries of back end `name` are there."""
    return all(find_spec(library) for library in BACKENDS[name].libraries)
