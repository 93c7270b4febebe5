"""`ann_recall`: how far an approximate index must look for a student's queries, and for its teacher's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rankdistill.evaluation.ann import effort_of
from rankdistill.evaluation.ann_result import AnnRecall
from rankdistill.evaluation.measuring import measure_ann_recall
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.verbs import towers
from rankdistill.verbs.arguments import Data, Model, Place, place_of, require_range
from rankdistill.verbs.contract import verb


@verb
def ann_recall(
    data: Data,
    query_model: Model,
    document_model: Model,
    out: Place,
    *,
    split: str = "test",
    factory: str = "HNSW32",
    search: str | Mapping[str, Sequence[int]] = "efSearch=16,32,64,128,256",
    repeats: int = 3,
    max_length: int | None = None,
    backend: str = "auto",
    unaligned: bool = False,
    lenient: bool = False,
    ignore_identical_ids: bool | None = None,
    progress: ProgressLike = False,
    command: str = "",
) -> AnnRecall:
    """Measure recall@10 against exact search, nDCG@10 and time, for student and teacher queries on one index.

    Args:
        data: the collection.
        query_model: the student, or a bundle.
        document_model: its teacher, whose document vectors are searched.
        out: folder for `ann.json`, `report.html` and `ann.png`; the same curves are not measured twice.
        split: whose queries and judgements.
        factory: FAISS factory string: `HNSW32`, `IVF256,Flat`, ...
        search: the parameter and its values, as `{"nprobe": [1, 4, 16]}` or `nprobe=1,4,16`.
        repeats: searches timed, the fastest counts; 0 times none.
        max_length: tokens of a document; the teacher's own unless given.
        backend: what runs the models; `auto` takes a fast exact one, `fast` the fastest measured here of those that
            rank as float32 does.
        unaligned: trust that the two models share a space, which nothing says.
        lenient: leave bad rows out instead of stopping.
        ignore_identical_ids: see `rankdistill.data.identical_ids`.
        progress: True tells on standard error; or a function that takes the number of texts and searches just done.
        command: the command line, for the manifest.

    Returns:
        The curves, which print as two tables; `plot()` draws them.

    Raises:
        ConfigError: FAISS does not take the factory string or the parameter.
        DataError: the collection cannot be used, or has no such split.
        ModelReferenceError: a model is not to be found.
        SpaceMismatchError: the student was not aligned with this teacher.
        StaleOutputError: `out` holds other curves.
        MissingDependencyError: FAISS is not installed.
    """
    require_range(0, repeats=repeats)
    effort = effort_of(search)
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
    with reporter_of(progress).stage("measure", "steps") as stage:
        return measure_ann_recall(
            both,
            dataset,
            split,
            factory,
            effort,
            place_of(out),
            repeats=repeats,
            command=command,
            progress=stage,
        )
