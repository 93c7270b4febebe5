"""ONNX Runtime in float32 on the CPU, exported in memory at load."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rankdistill._extras import require
from rankdistill.inference.backends.tracing import quiet_tracing, tensors_of

BUDGET = 2048
OPSET = 17


@dataclass(frozen=True)
class OnnxBackend:
    """Runs an ONNX Runtime session."""

    session: Any
    token_budget: int = BUDGET

    def run(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """The model's output as float32."""
        return self.session.run(None, dict(features))[0]


def open_backend(module: Any, example: Mapping[str, np.ndarray], device: str, dtype: str) -> OnnxBackend:
    """Export `module` with dynamic shapes and open it with all of torch's threads (models below 2 GB)."""
    import torch

    require("onnx", "the onnx back end")
    runtime = require("onnxruntime", "the onnx back end")
    stream = io.BytesIO()
    with quiet_tracing(), torch.no_grad():
        torch.onnx.export(
            module.eval(),
            tensors_of(example),
            stream,  # type: ignore[arg-type]  # the annotation forgets streams, the exporter does not
            input_names=list(example),
            output_names=["output"],
            dynamic_axes={name: {0: "rows", 1: "tokens"} for name in example} | {"output": {0: "rows"}},
            opset_version=OPSET,
            dynamo=False,
        )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return OnnxBackend(runtime.InferenceSession(stream.getvalue(), options, providers=["CPUExecutionProvider"]))
