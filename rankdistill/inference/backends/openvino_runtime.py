"""Conversion to OpenVINO and compiled models on the CPU: what the openvino back ends share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rankdistill._extras import require
from rankdistill.errors import BackendError
from rankdistill.inference.backends.base import TokenModel
from rankdistill.inference.backends.signal_stack import signal_stack_kept
from rankdistill.inference.backends.tracing import quiet_tracing, tensors_of
from rankdistill.inference.backends.unreported import unreported
from rankdistill.inference.export_cache import exported

BUDGET = 2048
FILE_NAME = "model.xml"
LIBRARIES = ("openvino", "torch", "transformers")
"""Whose versions a converted model depends on."""

_UNWRITTEN = np.uint32(0x7FC0DEAD)
"""The bits of a NaN that no computation gives."""


@dataclass(frozen=True)
class OpenVinoBackend:
    """Runs a compiled model through one request.

    On one thread the CPU plugin loses the error of an operator that does not fit its inputs: `infer` returns as if it
    had run, and the request's output is still that of the call before. So that output is overwritten before each call.
    """

    request: Any
    token_budget: int = BUDGET
    on_grid: bool = True

    def run(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """The model's output as float32.

        Raises:
            BackendError: there is none.
        """
        self.request.get_output_tensor(0).data.view(np.uint32).fill(_UNWRITTEN)
        output = self.request.infer(dict(features), share_inputs=True)[0]
        if (output.view(np.uint32) == _UNWRITTEN).any():
            raise BackendError(
                expected=f"an output for {' x '.join(map(str, features['input_ids'].shape))} tokens from OpenVINO",
                got="none, and no error",
                consequence="none of this run's numbers was kept",
                remedy="take the torch back end (--backend torch): it says what the model cannot do with these texts",
            )
        return output


def convert(model: TokenModel) -> Any:
    """`model` as an `openvino.Model` in float32 with dynamic shapes.

    The front end is called directly: `openvino.convert_model` does the same, and reports its use over the network. The
    tracer does not trace twice to compare: the outputs are compared with the original model's later.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
    """
    with quiet_tracing():
        decoder = _library("openvino.frontend.pytorch.ts_decoder").TorchScriptPythonDecoder(
            model.module.eval(), example_input=tensors_of(model.example), trace_kwargs={"check_trace": False}
        )
        frontend = _library("openvino.frontend").FrontEndManager().load_by_framework("pytorch")
        converted = frontend.convert(frontend.load(decoder))
    for port, name in zip(converted.inputs, model.example, strict=True):
        port.get_tensor().set_names({name})
    return converted


def save(converted: Any, folder: Path) -> None:
    """Write a converted model into `folder`, its weights as they are."""
    _library("openvino").save_model(converted, folder / FILE_NAME, compress_to_fp16=False)


def open_float32_export(model: TokenModel, precision: str) -> OpenVinoBackend:
    """The model from the cache, converted on first use and compiled for `precision` (`f32`, `bf16`)."""
    with exported("openvino", model.identity, LIBRARIES, lambda folder: save(convert(model), folder)) as folder:
        return open_file(folder / FILE_NAME, precision, model.threads)


def open_file(path: Path, precision: str, threads: int | None = None) -> OpenVinoBackend:
    """Compile the model at `path` for so many threads; None takes all of torch's.

    The precision is forced: on processors with bfloat16 instructions OpenVINO would otherwise use them unasked.
    """
    import torch

    core = _library("openvino").Core()
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "EXECUTION_MODE_HINT": "ACCURACY" if precision == "f32" else "PERFORMANCE",
        "INFERENCE_NUM_THREADS": threads or torch.get_num_threads(),
        "NUM_STREAMS": 1,
    }
    with signal_stack_kept():
        compiled = core.compile_model(core.read_model(path), "CPU", settings)
    return OpenVinoBackend(compiled.create_infer_request())


def _library(module: str) -> Any:
    with unreported():
        return require(module, "the openvino back ends")
