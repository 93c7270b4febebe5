"""The back end in OpenVINO with int8 matrix products, quantised by NNCF with ranges found on calibration texts.

The ranges are fixed when the model is made, so a row's numbers do not depend on the rows beside it.
"""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from rankdistill._extras import require
from rankdistill.inference.backends import openvino_runtime
from rankdistill.inference.backends.base import Backend, TokenModel
from rankdistill.inference.backends.signal_stack import signal_stack_kept
from rankdistill.inference.backends.tracing import quiet_tracing
from rankdistill.inference.backends.unreported import unreported
from rankdistill.inference.export_cache import exported

LIBRARIES = (*openvino_runtime.LIBRARIES, "nncf")


def open_backend(model: TokenModel, device: str) -> Backend:
    """The quantised model from the cache, converted and calibrated on first use."""
    identity = dict(model.identity) | {"calibration": model.calibration_hash}

    def build(folder: Path) -> None:
        openvino_runtime.save(_quantise(openvino_runtime.convert(model), model), folder)

    with exported("openvino-int8", identity, LIBRARIES, build) as folder:
        return openvino_runtime.open_file(folder / openvino_runtime.FILE_NAME, "f32", model.threads)


def _quantise(converted: Any, model: TokenModel) -> Any:
    os.environ.setdefault("NNCF_CI", "1")  # read at import: no reports over the network
    purpose = "the openvino-int8 back end"
    with unreported():
        nncf = require("nncf", purpose)
    rows = list(model.calibration())
    # Its progress bars cannot be turned off, and its own `set_log_level` stays, also on handlers that others share.
    with quiet_tracing("nncf"), redirect_stdout(io.StringIO()), signal_stack_kept():
        return nncf.quantize(
            converted,
            nncf.Dataset(rows),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(rows),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                activations_range_estimator_params=_widest_ranges(require("nncf.quantization.range_estimator", purpose))
            ),
        )


def _widest_ranges(estimator: Any) -> Any:
    """Ranges that hold every activation seen; NNCF's own cut the rare large ones, and that moves the scores."""
    statistics, aggregator = estimator.StatisticsType, estimator.AggregatorType
    collect = estimator.StatisticsCollectorParameters
    return estimator.RangeEstimatorParameters(
        min=collect(statistics_type=statistics.MIN, aggregator_type=aggregator.MIN),
        max=collect(statistics_type=statistics.MAX, aggregator_type=aggregator.MAX),
    )
