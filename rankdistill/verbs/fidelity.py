"""`fidelity`: how well a student copies its teacher, and which stage its gap comes from."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any

from rankdistill import manifest
from rankdistill.bundles import is_bundle
from rankdistill.data import Dataset
from rankdistill.ensembles.source import Ensemble
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation import identity
from rankdistill.evaluation.evaluating import DEPTH
from rankdistill.evaluation.fidelity import measuring, report
from rankdistill.evaluation.fidelity.records import ARTEFACT, Fidelity
from rankdistill.evaluation.fidelity.student import BundlePairs
from rankdistill.evaluation.rerank import PairScorer
from rankdistill.evaluation.retrieve import answer
from rankdistill.evaluation.stored_run import StoredRun
from rankdistill.making import making
from rankdistill.notes import note
from rankdistill.progress import Progress, ProgressLike, reporter_of
from rankdistill.stores.kinds import RANK
from rankdistill.stores.reader import ScoreStore
from rankdistill.training.inputs import ScoreSource
from rankdistill.verbs.arguments import (
    Data,
    Place,
    Teacher,
    collection_of,
    place_of,
    reference_of,
    require_length,
    require_range,
    score_store_of,
    scorer_of,
)
from rankdistill.verbs.contract import verb_with_stores
from rankdistill.verbs.lengths import note_longer
from rankdistill.verbs.runs import open_run


@dataclass(frozen=True)
class Settings:
    """What decides the figures besides student, scores and judgements; see `fidelity`."""

    split: str
    k: int
    scale: float | None
    temperature: float
    worst: int
    seed: int
    name: str | None


@verb_with_stores("store")
def fidelity(
    data: Data,
    model: Teacher | PairScorer,
    store: Place | ScoreStore | Ensemble,
    out: Place | None = None,
    *,
    split: str = "dev",
    teacher: str | None = None,
    run: Place | None = None,
    k: int = 10,
    scale: float | None = None,
    temperature: float = 1.0,
    worst: int = 10,
    kind: str = "auto",
    backend: str = "auto",
    max_length: int | None = None,
    name: str | None = None,
    seed: int = 0,
    lenient: bool = False,
    ignore_identical_ids: bool | None = None,
    progress: ProgressLike = False,
    command: str = "",
) -> Fidelity:
    """Measure how well a student copies its teacher on a split's queries, and split its gap into the stages' parts.

    The student scores the candidates that the teacher scored. Both are compared query by query: KL divergence,
    Spearman, Kendall, R² of the margins, top-k overlap. Judged by the split's labels, the student's gap to a perfect
    ranking is the sum of candidate ceiling, teacher error and student error.

    Args:
        data: the collection, whose judgements the split has.
        model: the student: dense, sparse, multi-vector, static, a cross-encoder or a pair head; a bundle; a YAML of a
            teacher; or an object that scores pairs (`score` and `fingerprint`).
        store: scores of the teacher for the split's queries; or an ensemble.
        out: folder for `fidelity.json`, `per_query.parquet` and `report.html`; without it nothing is written.
        split: whose queries; they are to be held out from training.
        teacher: which one of the store: its id, a name, or the start of one; may be left out where there is one.
        run: the student's evaluation on the whole collection, or its run file: the gap gets a fourth part, `search`.
            An evaluation must be of the student's weights; a note says where it, or the file, does not tell them.
        k: of the top-k overlap.
        scale: from the student's scores to the teacher's unit, for KL and margins; each is fitted unless given.
        temperature: that both softmaxes of KL are divided by.
        worst: how many of the queries that are copied worst are told.
        kind: of the model; found from its configuration.
        backend: what runs the model; `auto` takes a fast exact one, `fast` the fastest measured here of those that
            rank as float32 does.
        max_length: tokens an input; the model's own unless given.
        name: what tables call the student.
        seed: of the resamples.
        lenient: leave bad rows of the data out instead of stopping.
        ignore_identical_ids: see `rankdistill.mine`.
        progress: True tells on standard error; or a function that takes the number of pairs just scored.
        command: the command line, for the manifest.

    Returns:
        The figures, which print as two tables; `to_polars()` has them a query, `plot()` draws the gap.

    Raises:
        DataError: the store has no scores of this split's queries, `run` is another model's, or something cannot be
            used.
        StoreError: no such teacher, or several to choose from.
        ConfigError: settings that do not fit.
        ModelReferenceError: there is no such model.
        StaleOutputError: `out` holds another fidelity.
    """
    require_range(1, k=k)
    require_range(0, worst=worst, seed=seed)
    require_length(max_length=max_length)
    for setting, value in (("scale", scale), ("temperature", temperature)):
        _require_positive(setting, value)
    settings = Settings(split, k, scale, temperature, worst, seed, name)
    dataset = collection_of(data, [split], lenient, ignore_identical_ids)
    source = _source(store, teacher, dataset)
    chosen = source.teacher(teacher)
    candidates = measuring.read(dataset, source, split, chosen)
    found = None if run is None else open_run(run, dataset, split)
    _note_coverage(candidates, split, k)
    if source.score_kinds().get(chosen) == RANK:
        note("the teacher's scores are ranks: KL and R² of margins compare places, not how much better one is")
    note_trained_on(model, split)
    with reporter_of(progress).stage("fidelity", "pairs", len(candidates.pairs)) as stage:
        called, scorer = _student(model, kind, backend, max_length)
        if found is not None:
            _require_same_model(found, model, called, scorer)
        made = manifest.Manifest(
            artefact=ARTEFACT,
            inputs={
                "data": dataset.fingerprint,
                "qrels": dataset.qrels_hash(split),
                "student": manifest.digest(dict(scorer.fingerprint)),
                "scores": manifest.digest(candidates.teacher),
                "added": manifest.digest(sorted(candidates.added)),
                "texts": manifest.digest([candidates.queries, candidates.documents]),
            }
            | ({} if found is None else {"run": found.fingerprint["run"]}),
            parameters={**asdict(settings), "teacher": chosen, **dataset.decisive(split)},
            versions=manifest.versions_of("ir-measures", "scipy", "torch", "transformers"),
            command=command,
        )
        title = name or called
        shown = source.names.get(chosen, chosen)
        if out is None:
            return _measured(dataset, candidates, scorer, found, settings, title, shown, made, stage)
        folder = place_of(out)
        with making(folder, made, again=False) as making_it:
            if making_it.current:
                return Fidelity.read(folder)
            measured = _measured(dataset, candidates, scorer, found, settings, title, shown, made, stage)
            measured.write(folder)
            report.write_html(measured, folder)
            making_it.wrote()
    return measured.lying_in(folder)


def _measured(
    dataset: Dataset,
    candidates: measuring.Candidates,
    scorer: PairScorer,
    found: StoredRun | None,
    settings: Settings,
    student: str,
    teacher: str,
    made: manifest.Manifest,
    progress: Progress,
) -> Fidelity:
    copied = measuring.score(candidates, scorer, progress)
    if copied.unscored:
        note(
            f"the student has no score for {len(copied.unscored):,} of {len(candidates.pairs):,} pairs: they rank "
            "last, and are left out of the agreement"
        )
    agreed = measuring.agree(candidates, copied, settings.k, settings.scale, settings.temperature, settings.seed)
    answered = None if found is None else answer(found, dataset, candidates.queries, DEPTH)
    split, judged = measuring.split_gap(dataset, settings.split, candidates, copied, answered, settings.seed)
    qrels = dataset.qrels(settings.split)
    return Fidelity(
        student=student,
        teacher=teacher,
        data=dataset.name,
        split=settings.split,
        queries=len(candidates.teacher),
        compared=agreed.per_query.height,
        pairs=len(candidates.pairs),
        added=len(candidates.added),
        k=settings.k,
        temperature=settings.temperature,
        scales=agreed.scales,
        agreements=agreed.agreements,
        gap=split,
        worst=measuring.worst(candidates, copied, agreed, qrels, settings.worst),
        signature=_signature(dataset, scorer, made),
    ).with_queries(judged.join(agreed.per_query, on="query_id", how="left").sort("query_id"))


def _signature(dataset: Dataset, scorer: PairScorer, made: manifest.Manifest) -> dict[str, Any]:
    return {
        "data": dataset.name,
        **{f"{name}_hash": value for name, value in made.inputs.items() if name != "student"},
        **made.parameters,
        "student": dict(scorer.fingerprint),
        "versions": dict(made.versions),
        "command": made.command,
    }


def _source(store: Place | ScoreStore | Ensemble, teacher: str | None, dataset: Dataset) -> ScoreSource:
    """What has the teacher's scores; `dataset` gives the texts of a store of ids."""
    if not isinstance(store, Ensemble):
        return score_store_of(store, dataset)
    if teacher is not None:
        raise ConfigError(
            expected="no teacher beside an ensemble, which is one",
            got=repr(teacher),
            consequence="nothing was measured",
            remedy="leave it out, or give the store",
        )
    texts = score_store_of(store.store, dataset)
    if texts is store.store:
        return store
    weights = [store.weights[member] for member in store.members]
    return Ensemble(texts, store.members, store.calibrate, store.missing, weights, store.reference, store.combination)


def _student(model: Teacher | PairScorer, kind: str, backend: str, max_length: int | None) -> tuple[str, PairScorer]:
    if isinstance(model, str | os.PathLike):
        reference = reference_of(model)
        note_longer(reference, max_length)
        title = Path(reference).name if Path(reference).is_dir() else reference
        if is_bundle(reference):
            return title, BundlePairs(reference, backend, max_length)
        return title, scorer_of(reference, kind, backend, max_length)[1]
    return scorer_of(model, kind, backend, max_length)


def _require_same_model(run: StoredRun, model: Teacher | PairScorer, called: str, scorer: PairScorer) -> None:
    """Raise DataError where `run` is of other weights than the student's; a note where that cannot be known."""
    found, mine = identity.readers_of(run.system), identity.readers_of(scorer.fingerprint)
    reference = reference_of(model) if isinstance(model, str | os.PathLike) else ""
    names = chain(mine.weights, identity.identities(reference) if is_bundle(reference) else ())
    known = found.has(names) if mine.weights else None
    if known is None:
        silent = f"{run.path} does not say" if mine.weights else f"{called} does not tell its weights, so nothing says"
        note(f"{silent} which model it is of: whether it is the student's run is not known")
    if known is False:
        raise DataError(
            expected=f"the evaluation of {called}, whose model has {mine.words}",
            got=f"{run.path.parent}, whose queries were read by {found.words}",
            consequence="nothing was measured: what another system finds would count as the student's search",
            remedy="evaluate the student on this --data and --split, and give that folder; or name the run's model",
        )


def note_trained_on(model: object, split: str) -> None:
    """A note where the student of ours was trained on the very split."""
    if not isinstance(model, str | os.PathLike):
        return
    folder = Path(reference_of(model))
    made = manifest.read(folder) if folder.is_dir() and (folder / "training_log.json").is_file() else None
    if made is not None and made.artefact == "student" and made.parameters.get("split") == split:
        note(
            f"the student was trained on {split!r}: this is how well it knows those queries by heart; take a split "
            "that it has not seen"
        )


def _note_coverage(candidates: measuring.Candidates, split: str, k: int) -> None:
    asked = len(candidates.teacher)
    if candidates.lacking:
        note(
            f"the store has scores of {asked:,} of {asked + candidates.lacking:,} queries of {split!r}: the others are "
            "left out"
        )
    if few := sum(len(scores) <= k for scores in candidates.teacher.values()):
        note(f"{few:,} of {asked:,} queries have {k} candidates or fewer, which makes their top-{k} overlap 1")


def _require_positive(setting: str, value: float | None) -> None:
    if value is not None and not (isfinite(value) and value > 0):
        raise ConfigError(
            expected=f"{setting} above 0",
            got=repr(value),
            consequence="nothing was measured",
            remedy="give another value, or leave the setting out",
        )
