"""`sparsity`: what a sparse model's vectors cost, and what fewer terms cost in quality."""

from __future__ import annotations

from collections.abc import Sequence

from rankdistill.evaluation.measuring_sparsity import measure_sparsity
from rankdistill.evaluation.sparsity import Pruning, Sparsity
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.verbs.arguments import Data, Model, Place, collection_of, place_of, reference_of, require_length
from rankdistill.verbs.contract import verb
from rankdistill.verbs.lengths import note_longer


@verb
def sparsity(
    data: Data,
    model: Model,
    out: Place,
    *,
    split: str = "test",
    document_terms: Sequence[int] = (),
    query_terms: Sequence[int] = (),
    thresholds: Sequence[float] = (),
    max_length: int | None = None,
    backend: str = "auto",
    lenient: bool = False,
    ignore_identical_ids: bool | None = None,
    progress: ProgressLike = False,
    command: str = "",
) -> Sparsity:
    """Measure active terms, FLOPS and index size of a sparse model, whole and pruned, beside the quality.

    Args:
        data: the collection.
        model: a sparse encoder.
        out: folder for `sparsity.json`; the same prunings are not measured twice.
        split: whose queries and judgements.
        document_terms: heaviest terms kept of a document, a pruning each.
        query_terms: heaviest terms kept of a query, a pruning each.
        thresholds: weights of documents below are left out, a pruning each.
        max_length: tokens of a text; the model's own unless given.
        backend: what runs the model.
        lenient: leave bad rows out instead of stopping.
        ignore_identical_ids: see `rankdistill.data.identical_ids`.
        progress: True tells on standard error; or a function that takes the number of texts and searches just done.
        command: the command line, for the manifest.

    Returns:
        What each pruning costs and gives, which prints as a table.

    Raises:
        ConfigError: a number of terms below 1, or a threshold below 0; the model is not sparse.
        DataError: the collection cannot be used, or has no such split.
        ModelReferenceError: the model is not to be found.
        StaleOutputError: `out` holds other measurements.
    """
    from rankdistill.inference.sparse_encoder import SparseTextEncoder

    require_length(max_length=max_length)
    prunings = [
        *(Pruning(document_terms=terms) for terms in document_terms),
        *(Pruning(query_terms=terms) for terms in query_terms),
        *(Pruning(threshold=threshold) for threshold in thresholds),
    ]
    dataset = collection_of(data, [split], lenient, ignore_identical_ids)
    total = len(dataset.queries(split)) + len(dataset.doc_ids) + len(prunings) + 1
    reference = reference_of(model)
    note_longer(reference, max_length)
    encoder = SparseTextEncoder(reference, backend, max_length)
    with reporter_of(progress).stage("measure", "steps", total) as stage:
        return measure_sparsity(encoder, dataset, split, prunings, place_of(out), command=command, progress=stage)
