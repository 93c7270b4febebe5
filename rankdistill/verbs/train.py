"""`train`: a student from stored teacher scores, or aligned to stored teacher vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from rankdistill import manifest
from rankdistill.data import Dataset
from rankdistill.ensembles.combining import POLICIES
from rankdistill.ensembles.source import Ensemble
from rankdistill.errors import ConfigError, DataError
from rankdistill.inference.conversation import Conversation
from rankdistill.inference.loading import quietly
from rankdistill.inference.storage import Storage
from rankdistill.names import names_test
from rankdistill.notes import note
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.sessions import Sessions
from rankdistill.sessions.lineage import DOCUMENTS, SESSIONS, name_of_questions
from rankdistill.stores.embeddings.layout import is_store
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.stores.layout import ARTEFACT as SCORES
from rankdistill.stores.reader import ScoreStore
from rankdistill.training import processes
from rankdistill.training.alignment.config import AlignConfig
from rankdistill.training.alignment.dev_sets import Dev
from rankdistill.training.config import TrainConfig
from rankdistill.training.form import Form
from rankdistill.training.settings import require_no_test
from rankdistill.training.student import Student
from rankdistill.verbs import training_on_sessions, training_on_stored
from rankdistill.verbs.arguments import (
    Data,
    Model,
    Place,
    collection_of,
    embedding_store_of,
    listed,
    place_of,
    reference_of,
    require_range,
    score_store_of,
    sessions_of,
    settings_of,
)
from rankdistill.verbs.clipping import note_clipping
from rankdistill.verbs.contract import own_arguments, verb_with_stores
from rankdistill.verbs.turns import documents_of

REMEDY = "to heed them, raise the setting max_gradient_norm (a keyword, or a line of the --config file)"


@verb_with_stores("store")
def train(
    data: Data | Sequence[Data] | None,
    store: ScoreStore | Ensemble | EmbeddingStore | Place | None,
    student: Model,
    out: Place,
    *,
    split: str | None = None,
    dev_split: str | Sequence[str] | None = None,
    keep_layers: Sequence[int] | None = None,
    vocabulary: int | None = None,
    storage: Storage | None = None,
    max_mb: float | None = None,
    teacher: str | None = None,
    teachers: str | Sequence[str] | None = None,
    calibrate: str | None = None,
    missing: str | None = None,
    weights: Sequence[float] | None = None,
    reference: str | None = None,
    combine: str | None = None,
    sessions: Sessions | Place | None = None,
    rewrites: str | Sequence[str] | None = None,
    reads: str | None = None,
    missing_rewrites: Literal["error", "question", "drop"] = "error",
    ranks: str | None = None,
    sample: int | None = None,
    index: Place | None = None,
    standalone: float | None = None,
    work: Place | None = None,
    allow_test: bool = False,
    lenient: bool = False,
    ignore_identical_ids: bool | None = None,
    config: TrainConfig | AlignConfig | Place | None = None,
    progress: ProgressLike = False,
    command: str = "",
    **settings: Any,
) -> Student:
    """Train a student on a teacher's scores, or align it to a teacher's vectors: what `store` holds decides.

    With `sessions` it becomes a student of conversations: a teacher reads rewrites of the questions, and the student
    learns its scores of documents (loss `disco`) or its vectors (`leaf`) from the conversations themselves. Its index
    is the teacher's. With a store of scores besides, such as imported ones, it learns those.

    Interrupt it at will: the same call goes on from the last checkpoint, with the same loss curve. A folder that holds
    exactly this student is left as it is.

    Args:
        data: with scores, the collection: its splits say which queries are held out, and the dev split is read from
            it. With vectors, the collection of the dev split, or several; None where there is none. With sessions,
            that of their documents, where their own folder has none.
        store: a score store or an ensemble of its teachers; or an embedding store; or the path of one. With sessions
            None, or scores that are there already, whose queries are questions of the sessions.
        student: the model to start from: path, hub id or `pypi:DISTRIBUTION`; `static` with vectors.
        out: folder of the student.
        split: with scores: train on its queries, and on those that no split judges; `unjudged`: on the latter alone.
            Unless given `train`, or `unjudged` where there are no judgements. With sessions: whose questions, by what
            their sessions say; of those, a loss on scores reads the judged ones, and with `unlabelled="top"` all.
        dev_split: evaluate nDCG@10 on it while training, and keep the best checkpoint; the last one is kept without.
            With vectors one for all collections of `data`, or one each.
        keep_layers: train only these layers of the student, from 0.
        vocabulary: keep so many of its tokens: those that the texts use most, with pieces for any other text.
        storage: how its weights are written: `float32` unless given, `float16`, or tables as `int8` or `int4` (static
            students) and the rest as float16. What is written loads with sentence-transformers alone.
        max_mb: megabytes (10^6 bytes) that its files may take; what is not given of its shape is chosen on dev so that
            it fits. With vectors these four are settings of `preparation` too, and win over those.
        teacher: with scores: whose; may be left out where the store has one teacher. With sessions the model that reads
            the rewrites: the one whose index is searched, or any teacher of pairs beside the setting `document_tower`.
        teachers: with scores: train on an ensemble of these.
        calibrate: of the ensemble: `zscore` unless given; see `rankdistill.Ensemble`.
        missing: pairs that only some of the ensemble scored: `error` (unless given), `intersect` or `impute`. Without
            `teachers` it is the setting of `TrainConfig`: candidates without a score are an `error`, or `drop`ped;
            beside `teachers`, that setting is said in `config`.
        weights: of the ensemble, one a teacher; equal unless given.
        reference: of the ensemble: the teacher whose unit it is mapped to.
        combine: of the ensemble: `mean` unless given, or `best`; see `rankdistill.Ensemble`. With sessions, of several
            rewriters.
        sessions: conversations with rewrites, as `rankdistill data convert` makes them.
        rewrites: with sessions: names of rewrites that the teacher reads; several are combined, by the mean of their
            scores, calibrated with `calibrate`, or of each question the `best`.
        reads: with sessions: how the student reads a conversation, a name of
            `rankdistill.inference.conversation.FORMATS`; `newest_first` unless given. It is kept with the student.
        missing_rewrites: with sessions: a question without a rewrite is an `error`, rewritten as the `question` itself,
            or `drop`ped.
        ranks: with sessions: ranks `FIRST:LAST` of the teacher's run, from 1, that are candidates; `11:960` unless
            given, as DiSCo takes them. Judged positives always are.
        sample: with sessions: so many of these ranks, drawn a question; all unless given.
        index: with sessions: the teacher's index, which is searched for candidates instead of encoding all documents.
        standalone: with sessions and a loss on vectors: share of standalone queries (the rewrites) in what is trained
            on; .2 unless given.
        work: with sessions: folder of candidates, scores and vectors, which other students of the same conversations
            find there; `OUT.work` unless given.
        allow_test: let a test split choose the checkpoint.
        lenient: leave bad rows of the data out instead of stopping.
        ignore_identical_ids: whether the document that has the query's own id is left out; as `meta.json` says unless
            given, see `rankdistill.data.identical_ids`.
        config: a YAML file of settings, or a `TrainConfig` (scores) or `AlignConfig` (vectors).
        progress: True tells on standard error; or a function that takes the number of steps just done.
        command: the command line, for the manifest.
        settings: any setting of `TrainConfig` (scores) or `AlignConfig` (vectors), as `steps=100`; they win over
            `config`, and None leaves a setting to it.

    Returns:
        The student, which prints as what it was trained on, and its measures on dev splits before and after.

    Raises:
        ConfigError: no such setting, or one of the other kind of training; no collection where scores are trained on.
        DataError: the collection or the store cannot be used, or there is no such split.
        GateError: the scores are broken, and the setting `check` is `refuse`.
        StaleOutputError: `out` holds another student.
    """
    place = Out(place_of(out), progress, command)
    if sessions is not None and store is None:
        foreign: dict[str, object] = {"reference": reference, "missing": missing, "teachers": teachers}
        shape: dict[str, object] = {
            "keep_layers": keep_layers,
            "vocabulary": vocabulary,
            "storage": storage,
            "max_mb": max_mb,
        }
        _refuse_beside_sessions(foreign | shape)
        opened_sessions, names = sessions_of(sessions, lenient), listed(rewrites)
        found = None if data is None else _collection(data)
        asked = training_on_sessions.Asked(
            sessions=opened_sessions,
            documents=documents_of(opened_sessions, found, lenient, ignore_identical_ids),
            split=split,
            dev_split=_one(listed(dev_split)),
            teacher=reference_of(training_on_sessions.require_given(teacher, names)),
            rewrites=names,
            reads=reads,
            missing=missing_rewrites,
            ranks=ranks,
            sample=sample,
            index=index,
            standalone=standalone,
            calibrate=calibrate,
            combine=combine,
            weights=weights,
            work=place_of(work) if work is not None else place.folder.with_name(f"{place.folder.name}.work"),
        )
        own = own_arguments(train)
        training_on_sessions.train(
            asked, reference_of(student), place.folder, config, settings, own, allow_test, progress, command
        )
        trained = place.finished()
        note_clipping(trained.log, REMEDY)
        return trained
    of_rewrites: dict[str, object] = {
        **{"rewrites": rewrites, "ranks": ranks, "sample": sample, "index": index, "standalone": standalone},
        **{"work": work, "missing_rewrites": missing_rewrites != "error" or None},
    }
    if sessions is None:
        _refuse_without_sessions(of_rewrites | {"reads": reads})
    else:
        _refuse_beside_store(of_rewrites)
    if store is None:
        raise _no_store()
    opened = _opened(store)
    if sessions is not None:
        opened = training_on_stored.require_scores(opened)
    ensemble: dict[str, Any] = {
        **{"calibrate": calibrate, "weights": weights, "reference": reference},
        "combine": combine,
    }
    of_scores = {"split": split, "teacher": teacher, "teachers": teachers, "missing": missing}
    if isinstance(opened, EmbeddingStore):
        _refuse(settings | of_scores | ensemble, AlignConfig, TrainConfig, "vectors")
        aligning = settings_of(AlignConfig, config, settings, own_arguments(train))  # before the heavy imports
        aligning = _shaped(aligning, {"vocabulary": vocabulary, "storage": storage, "max_mb": max_mb})
        dev = _dev_sets(listed(data), listed(dev_split), lenient, ignore_identical_ids)
        return _align(opened, reference_of(student), place, aligning, keep_layers, dev, allow_test)
    _refuse(settings, TrainConfig, AlignConfig, "scores")
    if teachers is None and missing not in set(POLICIES) - {"error"}:
        settings["missing"] = missing
    else:
        ensemble["missing"] = missing
    if sessions is not None:
        settings = training_on_sessions.with_disco(training_on_sessions.loss_of(config, settings), settings)
    chosen = settings_of(TrainConfig, config, settings, own_arguments(train))
    _require_one_teacher(opened, teacher, teachers, ensemble)
    watched = _one(listed(dev_split))
    if watched is not None and names_test(watched) and not allow_test:
        require_no_test([watched])
    form = _form(keep_layers, vocabulary, storage, max_mb)
    if sessions is None:
        collection = collection_of(_collection(data), [watched], lenient, ignore_identical_ids)
        scores = _scores(opened, listed(teachers), ensemble, partial(score_store_of, dataset=collection))
        return _distil(collection, scores, reference_of(student), place, chosen, split, watched, form, teacher)
    conversations = sessions_of(sessions, lenient)
    documents = None if data is None else _collection(data)
    collection = documents_of(conversations, documents, lenient, ignore_identical_ids)
    read = training_on_stored.prepare(
        conversations,
        collection,
        opened,
        reference_of(student),
        chosen,
        split=split,
        dev_split=watched,
        reads=reads,
        progress=progress,
    )
    scores = _scores(opened, listed(teachers), ensemble, read.store)
    chosen = training_on_stored.fitted(chosen)
    given = (read.dataset, scores, reference_of(student), place, chosen, read.split, watched, form, teacher)
    sources = {SESSIONS: conversations.fingerprint, DOCUMENTS: collection.on_disk}
    sources[name_of_questions(read.split)] = conversations.fingerprint
    return _distil(*given, reads=read.reader.conversation, sources=sources)


@dataclass(frozen=True)
class Out:
    """Where the student goes, who is told of the work, and the command line for the manifest."""

    folder: Path
    progress: ProgressLike
    command: str

    def finished(self) -> Student:
        """The student that lies there now."""
        processes.await_first()
        return Student(self.folder)


def _distil(
    collection: Dataset,
    scores: ScoreStore | Ensemble,
    student: str,
    out: Out,
    config: TrainConfig,
    split: str | None,
    dev_split: str | None,
    form: Form,
    teacher: str | None,
    reads: Conversation | None = None,
    sources: Mapping[str, str] | None = None,
) -> Student:
    from rankdistill.training import run

    with quietly(), reporter_of(out.progress).stage("training", "steps") as stage:
        run.train(
            collection,
            scores,
            student,
            out.folder,
            config,
            split=split,
            keep_layers=form.keep_layers,
            vocabulary=form.vocabulary,
            storage=form.storage,
            max_mb=form.max_mb,
            dev_split=dev_split,
            teacher_id=teacher,
            reads=reads,
            sources=sources,
            planned=stage.expect,
            progress=stage,
            command=out.command,
        )
    trained = out.finished()
    for name, verdict in trained.log.get("check", {}).get("verdicts", {}).items():
        if verdict["status"] in ("warn", "fail"):
            note(f"{verdict['status']}: {name}: {verdict['finding']}")
    if reason := trained.log.get("space", {}).get("reason"):
        note(f"no space.json: {reason}; a bundle with the teacher's documents would be refused")
    note_clipping(trained.log, REMEDY)
    return trained


def _align(
    store: EmbeddingStore,
    student: str,
    out: Out,
    config: AlignConfig,
    keep_layers: Sequence[int] | None,
    dev: Sequence[Dev],
    allow_test: bool,
) -> Student:
    from rankdistill.training.alignment import run

    with quietly(), reporter_of(out.progress).stage("aligning", "steps") as stage:
        run.align(
            store,
            student,
            out.folder,
            config,
            keep_layers=keep_layers,
            dev=dev,
            allow_test=allow_test,
            planned=stage.expect,
            progress=stage,
            command=out.command,
        )
    trained = out.finished()
    note_clipping(trained.log, REMEDY)
    limit = config.max_document_length
    if limit is not None and trained.log["truncation"]["limits"]["document"] is None:
        note(f"max_document_length {limit} had no effect: a table of token vectors reads whole texts")
    return trained


def _shaped(config: AlignConfig, given: Mapping[str, Any]) -> AlignConfig:
    """The settings with those of `preparation` that are given as arguments."""
    said = {name: value for name, value in given.items() if value is not None}
    if not said:
        return config
    settings = config.model_dump(exclude_unset=True)
    return settings_of(AlignConfig, None, settings | {"preparation": settings.get("preparation", {}) | said})


def _form(
    keep_layers: Sequence[int] | None, vocabulary: int | None, storage: Storage | None, max_mb: float | None
) -> Form:
    require_range(1, vocabulary=vocabulary)
    if max_mb is not None and not (isfinite(max_mb) and max_mb > 0):
        raise ConfigError(
            expected="max_mb above 0",
            got=f"{max_mb}",
            consequence="nothing was trained",
            remedy="give the megabytes that the student may take",
        )
    return Form(keep_layers, vocabulary, storage, max_mb)


def _opened(store: ScoreStore | Ensemble | EmbeddingStore | Place) -> ScoreStore | Ensemble | EmbeddingStore:
    """The store; what lies at a path tells its kind."""
    if isinstance(store, ScoreStore | Ensemble | EmbeddingStore):
        return store
    folder = place_of(store)
    if is_store(folder):
        return embedding_store_of(store)
    found = manifest.read(folder)
    if found is not None and found.artefact == SCORES:
        return score_store_of(store)
    holds = f"it holds {found.artefact!r}" if found else "no manifest" if folder.is_dir() else "no such folder"
    raise DataError(
        expected="a finished store of scores, or of vectors",
        got=f"{folder}: {holds}",
        consequence="nothing was trained",
        remedy="make it with `rankdistill score` or `rankdistill embed`, or give the right path",
    )


def _refuse(
    given: Mapping[str, object], own: type[TrainConfig | AlignConfig], other: type[TrainConfig | AlignConfig], what: str
) -> None:
    """Raise ConfigError for arguments and settings that belong to the other kind of training: they had no effect."""
    of_ensembles = {"teachers", "calibrate", "weights", "reference", "combine"}
    foreign = other.model_fields.keys() | {"split", "teacher"} | of_ensembles
    foreign = foreign - own.model_fields.keys()
    if found := [name for name, value in given.items() if value is not None and name in foreign]:
        raise ConfigError(
            expected=f"settings that belong to training on {what}, which the store holds",
            got=", ".join(found),
            consequence="nothing was trained: they would have no effect",
            remedy="leave them out, or give the other kind of store",
        )


def _refuse_beside_sessions(given: Mapping[str, object]) -> None:
    """Raise ConfigError for arguments that training on sessions does not read."""
    if found := [name for name, value in given.items() if value is not None]:
        raise ConfigError(
            expected="arguments that belong to training on sessions",
            got=", ".join(found),
            consequence="nothing was trained: they would have no effect",
            remedy="leave them out; several rewriters are named with rewrites, and the student is its teacher's shape",
        )


def _refuse_without_sessions(given: Mapping[str, object]) -> None:
    """Raise ConfigError for arguments that sessions alone give a meaning to."""
    if found := [name for name, value in given.items() if value is not None]:
        raise ConfigError(
            expected="sessions (--sessions), which these belong to",
            got=", ".join(found),
            consequence="nothing was trained: they would have no effect",
            remedy="give the sessions, or leave these out",
        )


def _refuse_beside_store(given: Mapping[str, object]) -> None:
    """Raise ConfigError for what a teacher of rewrites has: scores that are there need none."""
    if found := [name for name, value in given.items() if value is not None]:
        raise ConfigError(
            expected="sessions with a store of scores, or with a teacher and rewrites",
            got=f"a store, and {', '.join(found)}",
            consequence="nothing was trained: they would have no effect",
            remedy="leave them out, or the store",
        )


def _no_store() -> ConfigError:
    return ConfigError(
        expected="a store of scores or of vectors, or sessions",
        got="none of them",
        consequence="nothing was trained",
        remedy="give what `rankdistill score` or `rankdistill embed` made, or sessions",
    )


def _collection(data: Data | Sequence[Data] | None) -> Data:
    """The one collection that scores are trained with."""
    found = listed(data)
    if len(found) == 1:
        return found[0]
    raise ConfigError(
        expected="the collection that the scores are of: its splits say which queries are held out",
        got=f"{len(found)} collections" if found else "no data (--data)",
        consequence="nothing was trained",
        remedy="give its folder as data (--data DIR); only training on vectors does without",
    )


def _one(dev_splits: Sequence[str]) -> str | None:
    if len(dev_splits) < 2:
        return dev_splits[0] if dev_splits else None
    raise ConfigError(
        expected="one dev_split (--dev-split) with a store of scores",
        got=", ".join(dev_splits),
        consequence="nothing was trained",
        remedy="name the split that checkpoints are chosen on",
    )


def _dev_sets(
    collections: Sequence[Data], splits: Sequence[str], lenient: bool, ignore_identical_ids: bool | None
) -> list[Dev]:
    """The dev splits: one split for all collections, or one each."""
    if len(splits) != len(collections) and (len(splits) != 1 or not collections):
        raise ConfigError(
            expected="one dev_split (--dev-split), or one for each collection of data (--dev-data)",
            got=f"{len(collections)} collections (--dev-data) and {len(splits)} dev splits (--dev-split)",
            consequence="nothing was trained",
            remedy="give both, as data=[DIR], dev_split=['dev'] (--dev-data DIR --dev-split dev for each data set)",
        )
    every = splits if len(splits) == len(collections) else list(splits) * len(collections)
    return [
        Dev(collection_of(data, [split], lenient, ignore_identical_ids), split)
        for data, split in zip(collections, every, strict=True)
    ]


def _require_one_teacher(
    store: ScoreStore | Ensemble,
    teacher: str | None,
    teachers: str | Sequence[str] | None,
    ensemble: Mapping[str, object],
) -> None:
    """Raise ConfigError for one teacher and an ensemble, or for settings of an ensemble where none is made here."""
    asked = [f"--{name}" for name, value in ensemble.items() if value is not None]
    is_made = isinstance(store, Ensemble)
    if is_made:
        got = [*asked, *(f"--{name}" for name, value in (("teacher", teacher), ("teachers", teachers)) if value)]
        wrong = f"{', '.join(got)} beside an ensemble, which has its own" if got else None
    elif teachers is None:
        wrong = f"{', '.join(asked)} without --teachers" if asked else None
    else:
        wrong = "--teacher and --teachers" if teacher is not None else None
    if wrong is not None:
        raise ConfigError(
            expected="one teacher, or an ensemble with its settings",
            got=wrong,
            consequence="nothing was trained",
            remedy="leave them out"
            if is_made
            else "name the ensemble's teachers, as teachers=['A', 'B'] (--teachers A,B), and leave the one teacher out",
        )


def _scores(
    store: ScoreStore | Ensemble,
    teachers: Sequence[str],
    ensemble: Mapping[str, Any],
    with_texts: Callable[[ScoreStore], ScoreStore],
) -> ScoreStore | Ensemble:
    """What is trained on; `with_texts` gives a store the texts that it lacks, or other ones for its queries."""
    if isinstance(store, Ensemble):
        texts = with_texts(store.store)
        if texts is store.store:
            return store
        weights = [store.weights[member] for member in store.members]
        settings = (store.calibrate, store.missing, weights, store.reference, store.combination)
        return Ensemble(texts, store.members, *settings)
    texts = with_texts(store)
    if not teachers:
        return texts
    return Ensemble(texts, teachers, **{name: value for name, value in ensemble.items() if value is not None})
