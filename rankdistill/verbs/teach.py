"""`teach`: a cross-encoder teacher from any encoder."""

from __future__ import annotations

from typing import Any

from rankdistill.notes import note
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.teachers import teach as teaching
from rankdistill.teachers.taught import TaughtTeacher
from rankdistill.teachers.teaching import beside
from rankdistill.teachers.teaching.config import TeachConfig, read
from rankdistill.verbs.arguments import Data, Model, Place, collection_of, place_of, reference_of
from rankdistill.verbs.clipping import note_clipping
from rankdistill.verbs.contract import own_arguments, verb

REMEDY = "a lower learning rate or a larger batch may help"


@verb
def teach(
    data: Data,
    candidates: Place,
    base: Model,
    out: Place,
    *,
    split: str = "train",
    dev_split: str = "dev",
    dev_candidates: Place | None = None,
    lenient: bool = False,
    ignore_identical_ids: bool | None = None,
    allow_worse: bool = False,
    config: TeachConfig | Place | None = None,
    progress: ProgressLike = False,
    command: str = "",
    **settings: Any,
) -> TaughtTeacher:
    """Fine-tune a cross-encoder on relevance labels and mined negatives.

    Interrupt it at will: the same call goes on from the last checkpoint. A folder that holds exactly this teacher is
    left as it is. With dev candidates it is compared with BM25, with their own order and with the base, and `is_worse`
    of the result says whether one of these ranks better; that raises nothing here: `teach(...).require()` does, and the
    command ends with 1.

    Args:
        data: the collection.
        candidates: of the split, as `mine` made them; the unlabelled ones are negatives.
        base: model reference of any encoder; it gets a new head unless it has one.
        out: folder of the teacher, a plain sentence-transformers `CrossEncoder`.
        split: whose queries and labels.
        dev_split: the split of `dev_candidates`.
        dev_candidates: candidates of that split, which are re-ranked before, on the way and after, for nDCG@10.
        lenient: leave bad rows of the data out instead of stopping.
        ignore_identical_ids: whether the document that has the query's own id is left out; as `meta.json` says unless
            given, see `rankdistill.data.identical_ids`.
        allow_worse: whether `require` lets a teacher pass that ranks worse than something beside it.
        config: a YAML file of settings, or a `TeachConfig`.
        progress: True tells on standard error; or a function that takes the number of queries just done.
        command: the command line, for the manifest.
        settings: any setting of `TeachConfig`, as `steps=100`; they win over `config`, and None leaves one to it.

    Returns:
        The teacher, which prints as its figures; any verb takes it as a model.

    Raises:
        ConfigError: no such setting, a value that it does not take, or a length beyond the base's positions.
        DataError: the collection cannot be used, has no such split, or the candidates have no negatives for it; the dev
            candidates are of no query of the dev split, or no relevant document is among them.
        ModelReferenceError: there is no such base.
        StaleOutputError: `out` holds a teacher made from other inputs or settings.
    """
    chosen = read(
        config if isinstance(config, TeachConfig | None) else place_of(config), settings, own_arguments(teach)
    )
    folder, dev = place_of(out), None
    if dev_candidates is not None:
        dev = teaching.Dev(dev_split, place_of(dev_candidates))
    dataset = collection_of(data, [split, dev.split if dev else None], lenient, ignore_identical_ids)
    labelled = sum(label > 0 for labels in dataset.qrels(split).values() for label in labels.values())
    total = teaching.steps_of(chosen, labelled) * chosen.batch_size
    with reporter_of(progress).stage("teach", "queries", total) as stage:
        teaching.teach(
            dataset,
            split,
            place_of(candidates),
            reference_of(base),
            folder,
            chosen,
            dev=dev,
            progress=stage,
            command=command,
        )
    teacher = TaughtTeacher(folder, allow_worse)
    note_clipping(teacher.log, REMEDY)
    for line in beside.notes(teacher.log):
        note(line)
    return teacher
