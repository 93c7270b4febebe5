"""A dense model as ONNX files that stand alone, with how near their vectors are to the original model's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rankdistill import files
from rankdistill.errors import BackendFidelityError
from rankdistill.inference.backends import TokenModel, onnx_int8, onnx_runtime
from rankdistill.inference.calibration import documentation_pairs
from rankdistill.inference.fast_model import FastModel, framing_of, probe_columns, token_model_of
from rankdistill.inference.framing import Framing
from rankdistill.models import ModelReference

FLOAT32, INT8 = "model.onnx", "model_int8.onnx"

LEAST = {FLOAT32: 0.9999, INT8: 0.8}
"""File -> cosine with the original vectors that every text of the sample must reach: below it the export is broken."""

SAMPLE = 64
"""Texts that an exported file is compared with the original model on."""

_OUTPUT = "sentence_embedding"
_DIGITS = 4


@dataclass(frozen=True)
class OnnxFile:
    """One exported file.

    Args:
        file: its name.
        precision: of its matrix products.
        size: bytes.
        texts: of the sample that it was compared on.
        mean_cosine: of its vectors with sentence-transformers' in float32, over the sample.
        least_cosine: of the text that it is farthest off on.
    """

    file: str
    precision: str
    size: int
    texts: int
    mean_cosine: float
    least_cosine: float


def export(model: Any, reference: ModelReference, folder: Path, prompt: str = "") -> list[OnnxFile]:
    """Write `model.onnx` (float32) and `model_int8.onnx` into `folder`: token ids in, the finished vector out.

    Args:
        model: the loaded `SentenceTransformer`, on the CPU.
        reference: where it was loaded from.
        folder: made if it is absent.
        prompt: put before the texts of the sample.

    Returns:
        The files; none where the model is no text transformer with a fixed template (a static model has no graph).

    Raises:
        MissingDependencyError: onnx or ONNX Runtime is not installed.
        BackendFidelityError: an exported file does not give the model's vectors.
    """
    framing = framing_of(model, 1)
    if framing is None:
        return []
    pairs = documentation_pairs()
    identity = {"weights": reference.weights_hash, "max_length": framing.max_length, "output": _OUTPUT}
    token_model = token_model_of(model, framing, probe_columns(1), identity, pairs)
    texts = [prompt + query for query, _ in pairs[:SAMPLE]]
    expected = model.encode(texts, prompt="", convert_to_numpy=True, show_progress_bar=False)
    _write(token_model, files.make_folder(folder))
    written = ((FLOAT32, "float32"), (INT8, "int8"))
    return [_compared(model, framing, folder / name, precision, texts, expected) for name, precision in written]


def _write(token_model: TokenModel, folder: Path) -> None:
    with files.output_errors(folder):
        onnx_runtime.export(token_model, folder / FLOAT32)
        onnx_int8.quantise(folder / FLOAT32, folder / INT8, ("MatMul", "Gather"))


def _compared(
    model: Any, framing: Framing, path: Path, precision: str, texts: Sequence[str], expected: np.ndarray
) -> OnnxFile:
    fast = FastModel(model, framing, onnx_runtime.open_file(path, onnx_runtime.ONE_ROW), path.name)
    found = fast.run([texts])
    cosines = np.zeros(1) if found is None else _cosines(found[:, : expected.shape[1]], expected)
    if cosines.min() < LEAST[path.name]:
        raise BackendFidelityError(
            expected=f"vectors of {path.name} with a cosine of {LEAST[path.name]} or more with the model's own",
            got=f"{cosines.min():.4f} for the farthest of {len(texts)} texts",
            consequence="an ONNX file that gives other vectors would be shipped, so it was not finished",
            remedy="leave ONNX out (--no-onnx)",
        )
    mean, least = (round(float(value), _DIGITS) for value in (cosines.mean(), cosines.min()))
    return OnnxFile(path.name, precision, path.stat().st_size, len(texts), mean, least)


def _cosines(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    return (found * expected).sum(axis=1) / np.maximum(lengths, np.finfo(np.float32).tiny)
