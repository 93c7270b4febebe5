"""Conversion to OpenVINO and compiled models on the CPU: what the openvino back ends share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rankdistill._extras import require
from rankdistill.inference.backends.base import TokenModel
from rankdistill.inference.backends.tracing import quiet_tracing, tensors_of
from rankdistill.inference.export_cache import exported

BUDGET = 2048
FILE_NAME = "model.xml"
LIBRARIES = ("openvino", "torch", "transformers")
"""Whose versions a converted model depends on."""


@dataclass(frozen=True)
class OpenVinoBackend:
    """Runs a compiled model through one request."""

    request: Any
    token_budget: int = BUDGET

    def run(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """The model's output as float32."""
        return self.request.infer(dict(features), share_inputs=True)[0]


def convert(model: TokenModel) -> Any:
    """`model` as an `openvino.Model` in float32 with dynamic shapes.

    The front end is called directly: `openvino.convert_model` does the same, and reports its use over the network.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
    """
    purpose = "the openvino back ends"
    with quiet_tracing():
        decoder = require("openvino.frontend.pytorch.ts_decoder", purpose).TorchScriptPythonDecoder(
            model.module.eval(), example_input=tensors_of(model.example)
        )
        frontend = require("openvino.frontend", purpose).FrontEndManager().load_by_framework("pytorch")
        converted = frontend.convert(frontend.load(decoder))
    for port, name in zip(converted.inputs, model.example, strict=True):
        port.get_tensor().set_names({name})
    return converted


def save(converted: Any, folder: Path) -> None:
    """Write a converted model into `folder`, its weights as they are."""
    require("openvino", "the openvino back ends").save_model(converted, folder / FILE_NAME, compress_to_fp16=False)


def open_float32_export(model: TokenModel, precision: str) -> OpenVinoBackend:
    """The model from the cache, converted on first use and compiled for `precision` (`f32`, `bf16`)."""
    with exported("openvino", model.identity, LIBRARIES, lambda folder: save(convert(model), folder)) as folder:
        return open_file(folder / FILE_NAME, precision)


def open_file(path: Path, precision: str) -> OpenVinoBackend:
    """Compile the model at `path` for all of torch's threads.

    The precision is forced: on processors with bfloat16 instructions OpenVINO would otherwise use them unasked.
    """
    import torch

    core = require("openvino", "the openvino back ends").Core()
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "EXECUTION_MODE_HINT": "ACCURACY" if precision == "f32" else "PERFORMANCE",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": 1,
    }
    return OpenVinoBackend(core.compile_model(core.read_model(path), "CPU", settings).create_infer_request())
