"""A student's int8 file beside the student itself: are its vectors there, whole, and near enough to search with?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rankdistill import integrity, plain_json, space
from rankdistill.bundles import layout
from rankdistill.errors import BackendError
from rankdistill.evaluation.systems import Record
from rankdistill.progress import Progress

if TYPE_CHECKING:
    from rankdistill.data import Dataset
    from rankdistill.evaluation.indexed import IndexedRetriever
    from rankdistill.inference import TextEncoder

DEPTH = 10


class Int8(Record):
    """What an int8 file gives, beside what the model gives in float32.

    Args:
        problem: why it gives nothing to compare; None where it does.
        none_needed: the model has no such file, and needs none.
        texts: queries that both encoded.
        size: bytes.
        mean_cosine: of the vectors.
        least_cosine: of the query that it is farthest off on.
        ndcg_float32: nDCG@10 of the queries in float32; None where no documents were searched.
        ndcg_int8: that of the queries in int8, over the same documents.
    """

    problem: str | None = None
    none_needed: bool = False
    texts: int = 0
    size: int | None = None
    mean_cosine: float | None = None
    least_cosine: float | None = None
    ndcg_float32: float | None = None
    ndcg_int8: float | None = None


def measure(
    bundle: Path,
    dataset: Dataset | None = None,
    split: str = "test",
    index: Path | None = None,
    progress: Progress = lambda done: None,
) -> Int8:
    """Run the int8 file of a bundle, or of a model with `onnx/model_int8.onnx`, and its float32 model.

    Args:
        bundle: its folder.
        dataset: whose queries are asked; without it queries of documentation, and nothing is searched.
        split: of the queries.
        index: the documents, as the student searches them; encoded by its document tower unless given.
        progress: called with the number of documents just encoded.

    Raises:
        DataError: no such split; the bundle or the index is not finished, or the index holds other documents.
        SpaceMismatchError: the float32 model was edited, or belongs to another index.
        MissingDependencyError: ONNX Runtime is not installed.
    """
    from rankdistill.inference.calibration import documentation_pairs
    from rankdistill.inference.onnx_files import INT8, SAMPLE

    model = bundle / layout.QUERY if layout.is_bundle(str(bundle)) else bundle
    path = model / layout.ONNX / INT8
    if not path.is_file():
        reason = _reason(bundle)
        return Int8(none_needed=reason.needs_none, problem=None if reason.needs_none else reason.words or "is absent")
    queries = (
        {str(place): query for place, (query, _) in enumerate(documentation_pairs()[:SAMPLE])}
        if dataset is None
        else dict(dataset.queries(split))
    )
    retriever = None if dataset is None else _retriever(dataset, bundle, index, progress)
    encoder = _encoder(bundle)
    exact = encoder.encode_queries(list(queries.values()))
    coarse = _run(path, encoder, list(queries.values()))
    found = Int8(texts=len(queries), size=path.stat().st_size)
    if isinstance(coarse, str):
        return found.model_copy(update={"problem": coarse})
    if encoder.model.truncate_dim is not None:  # the file gives every dimension, whatever the model is cut to
        coarse = coarse[:, : exact.shape[1]]
    if coarse.shape != exact.shape:
        shapes = f"gives vectors of {coarse.shape[-1]} dimensions, the model {exact.shape[-1]}"
        return found.model_copy(update={"problem": shapes})
    if broken := int((~np.isfinite(coarse)).any(axis=1).sum()):
        return found.model_copy(update={"problem": f"gives NaN or infinity for {broken} of {len(queries)} queries"})
    cosines = _cosines(coarse, exact)
    measured: dict[str, float] = {"mean_cosine": float(cosines.mean()), "least_cosine": float(cosines.min())}
    if retriever is not None and dataset is not None:
        for name, vectors in (("ndcg_float32", exact), ("ndcg_int8", coarse)):
            measured[name] = _ndcg(dataset, split, retriever, queries, vectors)
    return found.model_copy(update=measured)


@dataclass(frozen=True)
class _Reason:
    """Why a bundle has no int8 file, as its report says."""

    words: str
    needs_none: bool


def _reason(bundle: Path) -> _Reason:
    from rankdistill.bundles.making import NO_GRAPH

    report = bundle / layout.ONNX_REPORT
    content: Mapping[str, Any] = plain_json.read(integrity.require(report)) if integrity.is_there(report) else {}
    words = str(content.get("reason", ""))
    return _Reason(f"is not there: {words}" if words else "", words == NO_GRAPH)


def _encoder(bundle: Path) -> TextEncoder:
    from rankdistill.bundles import open_query_encoder

    return open_query_encoder(str(bundle))


def _run(path: Path, encoder: TextEncoder, queries: Sequence[str]) -> np.ndarray | str:
    """The file's vectors of the queries, or what is wrong with it."""
    from rankdistill.inference.backends import onnx_runtime
    from rankdistill.inference.fast_model import FastModel, framing_of

    framing = framing_of(encoder.model, 1)
    if framing is None:
        return "belongs to no text transformer with a fixed template"
    prompt = encoder.query_prompt
    try:
        fast = FastModel(encoder.model, framing, onnx_runtime.open_file(path, onnx_runtime.ONE_ROW), path.name)
        found = fast.run([[prompt + query for query in queries]])
    except BackendError as error:
        return f"does not run: {error.got}"
    except Exception as error:  # ONNX Runtime raises kinds of its own, which no name of a module holds
        if not type(error).__module__.startswith("onnxruntime"):
            raise
        return f"does not load: {' '.join(str(error).split())[:200]}"
    if found is None or found.ndim != 2:
        return "gives no vector a query"
    return found


def _cosines(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    return (found * expected).sum(axis=1) / np.maximum(lengths, np.finfo(np.float32).tiny)


def _retriever(dataset: Dataset, bundle: Path, index: Path | None, progress: Progress) -> IndexedRetriever:
    from rankdistill.evaluation.opening import open_retriever

    return open_retriever(dataset, str(bundle), index, progress=progress)


def _ndcg(
    dataset: Dataset, split: str, retriever: IndexedRetriever, queries: Mapping[str, str], vectors: np.ndarray
) -> float:
    """nDCG@10 of the queries with these vectors, over the retriever's documents."""
    from rankdistill.evaluation.indexed import IndexedRetriever
    from rankdistill.evaluation.measures import ndcg_at_10

    known = dict(zip(queries.values(), vectors, strict=True))
    given = IndexedRetriever(
        dataset, _Known(known, (retriever.space,)), retriever.name, retriever.index, unaligned=True
    )
    return ndcg_at_10(given.retrieve(queries, DEPTH), dataset.qrels(split))


@dataclass(frozen=True)
class _Known:
    """Encodes queries by looking their vectors up."""

    vectors: Mapping[str, np.ndarray]
    query_spaces: Sequence[space.Space]

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Nothing is written that would need one."""
        return {}

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        """Their vectors, float32 `[texts, dimension]`."""
        return np.stack([self.vectors[text] for text in texts])
