"""What a system costs besides time a query: the sizes of its models and of its indexes."""

from __future__ import annotations

from rankdistill.evaluation.evaluating import Costs
from rankdistill.evaluation.footprint import Footprint, footprint
from rankdistill.evaluation.fused import FusedRetriever
from rankdistill.evaluation.indexed import IndexedRetriever
from rankdistill.evaluation.retrieve import Retriever
from rankdistill.indexing import StoredIndex


def costs_of(retriever: Retriever, model: str | None = None) -> Costs:
    """The sizes of `retriever`'s query model and of its index; of a fused one, those of its parts together.

    Args:
        retriever: the system; one that re-ranks is taken apart by the caller.
        model: the model that is measured; a built index's own unless given. A fused system's are those of its indexes.

    Raises:
        ModelReferenceError: there is no such model.
    """
    if isinstance(retriever, FusedRetriever):
        return _of_parts(retriever)
    index_bytes = None
    if isinstance(retriever, IndexedRetriever):
        index_bytes = retriever.index_bytes
        if model is None and isinstance(retriever.index, StoredIndex):
            model = retriever.index.model
    size = Footprint(None, None) if model is None else footprint(model)
    return Costs(model_bytes=size.model_bytes, index_bytes=index_bytes, parameters=size.parameters)


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
