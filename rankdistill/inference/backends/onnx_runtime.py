"""Export to ONNX and sessions of ONNX Runtime on the CPU: what the onnx back ends share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rankdistill._extras import require
from rankdistill.inference.backends.base import TokenModel
from rankdistill.inference.backends.tracing import quiet_tracing, tensors_of

OPSET = 17
FILE_NAME = "model.onnx"
ONE_ROW = 1
"""A token budget that no two rows fit in."""

LIBRARIES = ("onnx", "onnxruntime", "torch", "transformers")
"""Whose versions an exported file depends on."""


@dataclass(frozen=True)
class OnnxBackend:
    """Runs an ONNX Runtime session."""

    session: Any
    token_budget: int

    @property
    def on_grid(self) -> bool:
        """But for rows that run alone because their numbers would depend on what is beside them, padding too."""
        return self.token_budget > ONE_ROW

    def run(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """The model's output as float32."""
        return self.session.run(None, dict(features))[0]


def export(model: TokenModel, path: Path) -> None:
    """Write `model` in float32 with dynamic shapes to `path` (models below 2 GB).

    Raises:
        MissingDependencyError: onnx is not installed.
    """
    import torch

    require("onnx", "the onnx back ends")
    names = list(model.example)
    with quiet_tracing(), torch.no_grad():
        torch.onnx.export(
            model.module.eval(),
            tensors_of(model.example),
            str(path),
            input_names=names,
            output_names=["output"],
            dynamic_axes={name: {0: "rows", 1: "tokens"} for name in names} | {"output": {0: "rows"}},
            opset_version=OPSET,
            dynamo=False,
        )


def open_file(path: Path, token_budget: int, threads: int | None = None) -> OnnxBackend:
    """Open the ONNX file at `path` with so many threads; None takes all of torch's.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
    """
    import torch

    runtime = require("onnxruntime", "the onnx back ends")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.log_severity_level = 3
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return OnnxBackend(session, token_budget)
