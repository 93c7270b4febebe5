"""`robustness`: what fewer dimensions and coarser numbers cost a student, its teacher, and both of them."""

from __future__ import annotations

from collections.abc import Sequence

from rankdistill.evaluation.measuring import measure_robustness
from rankdistill.evaluation.robustness import GridSettings, halves
from rankdistill.evaluation.robustness_result import Robustness
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.verbs import towers
from rankdistill.verbs.arguments import Data, Model, Place, place_of
from rankdistill.verbs.contract import verb


@verb
def robustness(
    data: Data,
    query_model: Model,
    document_model: Model,
    out: Place,
    *,
    split: str = "test",
    dimensions: Sequence[int] | None = None,
    precisions: Sequence[str] = ("float32", "int8", "binary"),
    draws: int = 5,
    seed: int = 0,
    max_length: int | None = None,
    backend: str = "auto",
    unaligned: bool = False,
    lenient: bool = False,
    ignore_identical_ids: bool | None = None,
    progress: ProgressLike = False,
    command: str = "",
) -> Robustness:
    """Measure nDCG@10 over truncated dimensions x precision, beside random truncation.

    Args:
        data: the collection.
        query_model: the student, or a bundle.
        document_model: its teacher, whose document vectors are searched.
        out: folder for `robustness.json`, `report.html` and `robustness.png`; the same grid is not measured twice.
        split: whose queries and judgements.
        dimensions: how many of the first dimensions are kept; all and their halves unless given.
        precisions: of `float32`, `int8`, `binary`, `binary-int8`.
        draws: random choices of dimensions beside each truncation.
        seed: of these choices.
        max_length: tokens of a document; the teacher's own unless given.
        backend: what runs the models; `auto` takes a fast exact one, `fast` the fastest measured here of those that
            rank as float32 does.
        unaligned: trust that the two models share a space, which nothing says.
        lenient: leave bad rows out instead of stopping.
        ignore_identical_ids: see `rankdistill.data.identical_ids`.
        progress: True tells on standard error; or a function that takes the number of texts and searches just done.
        command: the command line, for the manifest.

    Returns:
        The grid of the teacher, the student, and the student's queries on the teacher's documents; `plot()` draws it.

    Raises:
        ConfigError: settings that these vectors do not allow.
        DataError: the collection cannot be used, or has no such split.
        ModelReferenceError: a model is not to be found.
        SpaceMismatchError: the student was not aligned with this teacher.
        StaleOutputError: `out` holds another grid.
    """
    dataset, both = towers.opened(
        data,
        split,
        query_model,
        document_model,
        backend=backend,
        max_length=max_length,
        unaligned=unaligned,
        lenient=lenient,
        ignore_identical_ids=ignore_identical_ids,
    )
    kept = halves(both.dimension) if dimensions is None else tuple(dimensions)
    settings = GridSettings(kept, tuple(precisions), draws, seed)
    with reporter_of(progress).stage("measure", "steps") as stage:
        return measure_robustness(both, dataset, split, settings, place_of(out), command=command, progress=stage)
