"""OpenVINO in float32, converted in memory at load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rankdistill._extras import require
from rankdistill.inference.backends.tracing import quiet_tracing, tensors_of

BUDGET = 2048


@dataclass(frozen=True)
class OpenVinoBackend:
    """Runs a compiled model through one request."""

    request: Any
    token_budget: int = BUDGET

    def run(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """The model's output as float32."""
        return self.request.infer(dict(features), share_inputs=True)[0]


def open_backend(module: Any, example: Mapping[str, np.ndarray], device: str, dtype: str) -> OpenVinoBackend:
    """Convert `module` with dynamic shapes and compile it for all of torch's threads.

    The front end is called directly: `openvino.convert_model` does the same, and reports its use over the network. The
    precision is forced: on processors with bfloat16 instructions OpenVINO would otherwise use them unasked.
    """
    import torch

    openvino = require("openvino", "the openvino back end")
    with quiet_tracing():
        decoder = require("openvino.frontend.pytorch.ts_decoder", "the openvino back end").TorchScriptPythonDecoder(
            module.eval(), example_input=tensors_of(example)
        )
        frontend = require("openvino.frontend", "the openvino back end").FrontEndManager().load_by_framework("pytorch")
        converted = frontend.convert(frontend.load(decoder))
    for port, name in zip(converted.inputs, example, strict=True):
        port.get_tensor().set_names({name})
    compiled = openvino.Core().compile_model(
        converted,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": "f32",
            "EXECUTION_MODE_HINT": "ACCURACY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
        },
    )
    return OpenVinoBackend(compiled.create_infer_request())
