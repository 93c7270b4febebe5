"""`open`: whatever lies at a path, read only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from rankdistill import locations, manifest
from rankdistill.data.beir import CORPUS
from rankdistill.data.converting.advice import advice
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation.results import FILE_NAME as RESULTS
from rankdistill.sessions.reading import is_sessions
from rankdistill.stores.embeddings.layout import is_store
from rankdistill.verbs.arguments import Place, collection_of, place_of, sessions_of
from rankdistill.verbs.contract import verb_with_stores

READERS: Mapping[str, str] = {
    "ann-recall": "rankdistill.evaluation.measuring:read_ann_recall",
    "bundle": "rankdistill.bundles.layout:Bundle.read",
    "candidates": "rankdistill.mining.candidates:Candidates",
    "dataset": "rankdistill.data:load",
    "embeddings": "rankdistill.stores.embeddings.reader:EmbeddingStore",
    "evaluation": "rankdistill.evaluation.results:Evaluation.read",
    "export": "rankdistill.verbs.status:status",
    "fidelity": "rankdistill.evaluation.fidelity.records:Fidelity.read",
    "impact-vectors": "rankdistill.verbs.status:status",
    "index": "rankdistill.indexing:load",
    "index shard": "rankdistill.verbs.status:status",
    "publication": "rankdistill.publishing.result:Published.read",
    "rewrites": "rankdistill.verbs.status:status",
    "robustness": "rankdistill.evaluation.measuring:read_robustness",
    "run": "rankdistill.evaluation.results:Results.read",
    "scores": "rankdistill.stores.reader:ScoreStore",
    "sessions": "rankdistill.sessions:read",
    "sparsity": "rankdistill.evaluation.measuring_sparsity:read_sparsity",
    "student": "rankdistill.training.student:Student",
    "task evaluation": "rankdistill.verbs.status:status",
    "task evaluations": "rankdistill.evaluation.tasks.results:TaskEvaluations.read",
    "teacher": "rankdistill.teachers.taught:TaughtTeacher",
    "teacher choice": "rankdistill.verbs.status:status",
    "tuning": "rankdistill.verbs.status:status",
}
"""What a manifest calls its artefact -> what reads its folder.

What other tools read, and parts of an index, have no reader: `status` says what they are.
"""

COMPARISON = "rankdistill.evaluation.results:Results.read"
"""Reads what `compare` writes, which has no manifest."""


@verb_with_stores("path")
def open(path: Place, *, lenient: bool = False, ignore_identical_ids: bool | None = None) -> Any:
    """Whatever lies at `path`: a collection, candidates, a store, an index, a model of ours, an evaluation, ...

    Args:
        path: its folder; a store may also lie at `s3://...`.
        lenient: leave bad rows of a collection or of sessions out instead of stopping.
        ignore_identical_ids: of a collection, see `rankdistill.data.identical_ids`.

    Returns:
        `Dataset`, `Sessions` of conversations (also where they lie in a collection), `Candidates`, `ScoreStore`,
        `EmbeddingStore`, `StoredIndex`, `Student`, `TaughtTeacher`, `Bundle`, `Evaluation`, `Results` of a comparison
        or a run, `Fidelity`, `Robustness`, `AnnRecall` or `Sparsity`; a `Status` of what has no reader, as of what was
        exported for another tool.

    Raises:
        DataError: nothing of ours lies there, or it is unfinished or damaged.
        ConfigError: `lenient` or `ignore_identical_ids` for something else than a collection.
        RemoteError: the object store does not answer, or refuses.
    """
    folder = place_of(path)
    made = manifest.read(folder)
    artefact = made.artefact if made is not None else _without_manifest(folder)
    if artefact in ("dataset", "sessions") and locations.is_local(folder) and is_sessions(folder):
        return sessions_of(folder, lenient=lenient)
    if artefact == "dataset":
        return collection_of(folder, lenient=lenient, ignore_identical_ids=ignore_identical_ids)
    if lenient or ignore_identical_ids is not None:
        raise ConfigError(
            expected="lenient and ignore_identical_ids with a collection",
            got=f"{folder}, which holds {artefact!r}",
            consequence="nothing was opened: they would have no effect",
            remedy="leave them out",
        )
    if artefact == "comparison":
        return _reader(COMPARISON)(folder)
    if artefact not in READERS:
        raise DataError(
            expected=f"one of {', '.join(READERS)}",
            got=f"{folder}: {artefact!r}",
            consequence="nothing was opened",
            remedy="use the rankdistill that wrote it",
        )
    return _reader(READERS[artefact])(folder)


def _without_manifest(folder: Path) -> str:
    """What lies in a folder that has no manifest: a user's collection, a comparison, or an unfinished store."""
    if any(locations.is_file(folder / name) for name in (CORPUS, f"{CORPUS}.gz")):
        return "dataset"
    if locations.is_local(folder) and is_sessions(folder):
        return "sessions"
    if is_store(folder):
        return "embeddings"
    if locations.is_file(folder / RESULTS):
        return "comparison"
    raise DataError(
        expected="a folder that rankdistill wrote, or a collection in BEIR layout",
        got=f"{folder}: {_missing(folder)}",
        consequence="nothing was opened",
        remedy=(advice(folder) if locations.is_local(folder) else None)
        or "give the folder that a verb wrote; `rankdistill status` shows what an unfinished store holds",
    )


def _missing(folder: Path) -> str:
    if folder.is_dir():
        return "neither a manifest nor a corpus"
    return "a file" if folder.exists() else "no such folder"


def _reader(home: str) -> Callable[[Path], Any]:
    module, _, name = home.partition(":")
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found
