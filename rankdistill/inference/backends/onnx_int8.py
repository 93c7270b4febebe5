"""The back end in ONNX Runtime with int8 matrix products: weights by channel, activations quantised as they come.

ONNX Runtime takes one range for all activations of a call, so that a row's numbers depend on the rows beside it and on
the padding. Each row is run alone here: then its numbers depend on nothing else, and are closer to float32 as well.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from rankdistill._extras import require
from rankdistill.inference.backends import onnx_runtime
from rankdistill.inference.backends.base import Backend, TokenModel
from rankdistill.inference.export_cache import exported


def open_backend(model: TokenModel, device: str) -> Backend:
    """The quantised model from the cache, exported on first use."""

    def build(folder: Path) -> None:
        target = folder / onnx_runtime.FILE_NAME
        source = folder / "float32.onnx"
        onnx_runtime.export(model, source)
        quantise(source, target)
        source.unlink()

    with exported("onnx-int8", model.identity, onnx_runtime.LIBRARIES, build) as folder:
        return onnx_runtime.open_file(folder / onnx_runtime.FILE_NAME, onnx_runtime.ONE_ROW, model.threads)


def quantise(source: Path, target: Path, operations: Sequence[str] = ("MatMul",)) -> None:
    """Write the float32 ONNX file `source` to `target` with the weights of `operations` in int8.

    Matrix products make it fast; `Gather`, the table of tokens, makes the file small.
    """
    quantization = require("onnxruntime.quantization", "the onnx-int8 back end")
    logger = logging.getLogger()
    level, handlers = logger.level, [*logger.handlers]
    logger.setLevel(logging.ERROR)  # it warns on the root logger of preprocessing that this graph does not need
    try:
        quantization.quantize_dynamic(
            source,
            target,
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=list(operations),
        )
    finally:
        logger.setLevel(level)
        for handler in [one for one in logger.handlers if one not in handlers]:
            logger.removeHandler(handler)  # warning there makes one, and all that is logged later would be shown twice
