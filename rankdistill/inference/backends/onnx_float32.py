"""The back end in float32 ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

from rankdistill.inference.backends import onnx_runtime
from rankdistill.inference.backends.base import Backend, TokenModel
from rankdistill.inference.export_cache import exported

BUDGET = 2048


def open_backend(model: TokenModel, device: str) -> Backend:
    """The model from the cache, exported on first use."""

    def build(folder: Path) -> None:
        onnx_runtime.export(model, folder / onnx_runtime.FILE_NAME)

    with exported("onnx", model.identity, onnx_runtime.LIBRARIES, build) as folder:
        return onnx_runtime.open_file(folder / onnx_runtime.FILE_NAME, BUDGET, model.threads)
