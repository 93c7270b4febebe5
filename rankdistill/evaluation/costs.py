"""What a system costs besides time a query: the sizes of its models and of its indexes, and what its teachers took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rankdistill.bundles import Bundle, is_bundle
from rankdistill.evaluation.engine import EngineRetriever
from rankdistill.evaluation.evaluating import Costs
from rankdistill.evaluation.footprint import Footprint, footprint
from rankdistill.evaluation.fused import FusedRetriever
from rankdistill.evaluation.indexed import IndexedRetriever
from rankdistill.evaluation.results import FILE_NAME, Evaluation
from rankdistill.evaluation.retrieve import Retriever
from rankdistill.indexing import StoredIndex
from rankdistill.training import teacher_cost
from rankdistill.training.teacher_cost import UNKNOWN, TeacherCost


def costs_of(retriever: Retriever, model: str | None = None) -> Costs:
    """The sizes of `retriever`'s query model and of its index; of a fused one, those of its parts together.

    Args:
        retriever: the system; one that re-ranks is taken apart by the caller.
        model: the model that is measured; a built index's own, or an engine's, unless given. A fused system's are
            those of its indexes.

    Raises:
        ModelReferenceError: there is no such model.
    """
    if isinstance(retriever, FusedRetriever):
        return _of_parts(retriever)
    index_bytes = None
    if isinstance(retriever, IndexedRetriever):
        index_bytes = retriever.index_bytes
    if model is None:
        model = model_of(retriever)
    size = Footprint(None, None) if model is None else footprint(model)
    return Costs(model_bytes=size.model_bytes, index_bytes=index_bytes, parameters=size.parameters)


def model_of(retriever: Retriever) -> str | None:
    """The query model of what a built index or an engine's collection answers; None of another system.

    Of a fused one, that which all its parts have.
    """
    if isinstance(retriever, FusedRetriever):
        found = {model_of(part) for part in retriever.parts}
        return found.pop() if len(found) == 1 else None
    if isinstance(retriever, EngineRetriever):
        return retriever.model
    stored = retriever.index if isinstance(retriever, IndexedRetriever) else None
    return stored.model if isinstance(stored, StoredIndex) else None


def _of_parts(retriever: FusedRetriever) -> Costs:
    indexes = [part.index for part in retriever.parts if isinstance(part, IndexedRetriever)]
    stored = [index for index in indexes if isinstance(index, StoredIndex)]
    if not stored:
        return Costs()
    sizes = [footprint(model) for model in dict.fromkeys(one.model for one in stored) if model is not None]
    return Costs(
        model_bytes=sum(size.model_bytes or 0 for size in sizes),
        index_bytes=sum(one.size for one in stored),
        parameters=sum(size.parameters or 0 for size in sizes),
    )


def with_teachers(costs: Costs, retriever: Retriever, models: Iterable[str | None]) -> Costs:
    """The same with what the teachers cost that the models of a system learned from.

    Args:
        costs: its sizes, and what the teachers cost of what no reference of a model stands for.
        retriever: the system; the models of built indexes and of an engine's collection are its too. One that re-ranks
            is taken apart by the caller.
        models: references of what else is run; None: nothing.
    """
    found = TeacherCost()
    if isinstance(retriever, EngineRetriever) and retriever.document_model is None:
        found = TeacherCost({"the collection": UNKNOWN})
    for model in dict.fromkeys([*models, *_indexed(retriever)]):
        if model is not None:
            found |= _of_model(model)
    if not found:
        return costs
    unknown = costs.teacher_unknown or found.seconds is None
    return replace(
        costs,
        teacher_seconds=None if unknown else round((costs.teacher_seconds or 0.0) + (found.seconds or 0.0), 3),
        teacher_pairs=(costs.teacher_pairs or 0) + found.pairs or None,
        teacher_texts=(costs.teacher_texts or 0) + found.texts or None,
        teacher_unknown=unknown,
    )


def of_run(costs: Costs, run: Path) -> Costs:
    """The same with what the teachers cost of the system whose run is looked at, where an evaluation of it tells."""
    if not (run / FILE_NAME).is_file():
        return costs
    system = Evaluation.read(run).system
    return replace(
        costs,
        teacher_seconds=system.teacher_seconds,
        teacher_pairs=system.teacher_pairs,
        teacher_texts=system.teacher_texts,
        teacher_unknown=system.teacher_unknown,
    )


def _indexed(retriever: Retriever) -> list[str | None]:
    if isinstance(retriever, EngineRetriever):
        return [retriever.model, retriever.document_model]
    parts = retriever.parts if isinstance(retriever, FusedRetriever) else [retriever]
    indexes = [part.index for part in parts if isinstance(part, IndexedRetriever)]
    return [index.model for index in indexes if isinstance(index, StoredIndex)]


def _of_model(reference: str) -> TeacherCost:
    """Of a model, or of both towers of a bundle."""
    if not is_bundle(reference):
        return teacher_cost.of_student(reference)
    bundle = Bundle.read(Path(reference).expanduser())
    return teacher_cost.of_student(bundle.query_model) | teacher_cost.of_student(bundle.document_model)
