"""`check`: whether the scores of a store are fit to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rankdistill.evaluation import gate_report
from rankdistill.gate.run import examine
from rankdistill.gate.subject import of_store
from rankdistill.gate.verdict import Report
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.stores.reader import ScoreStore
from rankdistill.training import config
from rankdistill.verbs.arguments import Data, Place, collection_of, listed, place_of, score_store_of
from rankdistill.verbs.contract import verb_with_stores


@verb_with_stores("store", "report", "json")
def check(
    store: Place | ScoreStore,
    *,
    teachers: str | Sequence[str] | None = None,
    data: Data | None = None,
    student: str = "cosine",
    loss: str | None = None,
    report: Place | None = None,
    json: Place | None = None,
    strict: bool = False,
    progress: ProgressLike = False,
) -> Report:
    """Check stored teacher scores before training on them.

    A failed check raises nothing here: `check(...).require()` does, and the command ends with 1.

    Args:
        store: made by `score` or `import_scores`.
        teachers: names, ids, or starts of these; all unless given.
        data: a collection whose judgements label what the store does not.
        student: similarity that the advice is for, `cosine` or `dot`.
        loss: that will be trained with (`margin_mse`, `kl`, ...): what its training refuses fails here too.
        report: an HTML page to write, with histograms.
        json: a JSON file to write, with every number.
        strict: whether `require` takes a warning for a failure too.
        progress: True tells on standard error; or a function that takes the number of rows just read.

    Returns:
        The verdicts of every check, which print as tables.

    Raises:
        ConfigError: no such similarity or loss.
        StoreError: no such teacher, or a file of the store cannot be read.
        DataError: `store` or `data` is none.
    """
    chosen = None if loss is None else config.read(None, loss=loss).loss
    dataset = collection_of(data) if data is not None else None
    subject = of_store(score_store_of(store), listed(teachers), dataset)
    with reporter_of(progress).stage("checking", "rows") as stage:
        found = examine(subject, student, chosen, on_rows=stage.expect, progress=stage)
    found = replace(found, strict=strict, written=[str(place_of(one)) for one in (report, json) if one is not None])
    if report is not None:
        gate_report.write_html(found, place_of(report))
    if json is not None:
        gate_report.write_json(found, place_of(json))
    return found
