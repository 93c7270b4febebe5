"""The back end in bfloat16 OpenVINO."""

from __future__ import annotations

from rankdistill.inference.backends.base import Backend, TokenModel
from rankdistill.inference.backends.openvino_runtime import open_float32_export


def open_backend(model: TokenModel, device: str) -> Backend:
    """The model from the cache, converted on first use."""
    return open_float32_export(model, "bf16")
