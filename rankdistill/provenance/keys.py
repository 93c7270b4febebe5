"""Which hashes stand for an artefact, and which ones it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from rankdistill import files, integrity, locations, manifest, models, plain_json
from rankdistill.data.beir import UNJUDGED
from rankdistill.errors import RankdistillError
from rankdistill.evaluation import run_files
from rankdistill.evaluation.ann_result import FILE_NAME as ANN_RECALL
from rankdistill.evaluation.fidelity.records import FILE_NAME as FIDELITY
from rankdistill.evaluation.results import FILE_NAME as RESULTS
from rankdistill.evaluation.robustness_result import FILE_NAME as ROBUSTNESS
from rankdistill.evaluation.sparsity import FILE_NAME as SPARSITY
from rankdistill.evaluation.tasks.results import ARTEFACT as TASKS
from rankdistill.evaluation.tasks.results import TASK
from rankdistill.manifest import COLLECTION, RUN
from rankdistill.provenance.found import Artefact
from rankdistill.sessions.lineage import SESSIONS, on_disk
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.tables import CANDIDATES_FILE
from rankdistill.teachers import names

_HASH = re.compile(r"[0-9a-f]{64}")

_TELLING = {"weights", "document_tower", "identity", "hash", "run"}
"""Fields of parameters and fingerprints that name what was read by a hash of it."""

_CALLED = {
    "documents": "document model",
    "index": "index",
    "run": "run",
    "teacher": "teacher",
    "teachers": "teacher",
}
"""Field of a fingerprint -> what the thing in or below it is for the artefact; of any other one it is its model."""

_DIGESTS: Mapping[str, set[str]] = {
    "ann-recall": {"towers"},
    "evaluation": {"system"},
    "fidelity": {"student", "scores", "added", "texts"},
    "index": {"model"},
    "publication": {"details"},
    "robustness": {"towers"},
    "sparsity": {"model"},
}
"""Kind of artefact -> its inputs that are hashes of a whole fingerprint or of settings, which no file has."""

_SIGNED = {
    "ann-recall": (ANN_RECALL, "towers"),
    "evaluation": (RESULTS, "system"),
    "fidelity": (FIDELITY, "student"),
    "robustness": (ROBUSTNESS, "towers"),
    "sparsity": (SPARSITY, "model"),
}
"""Kind of artefact -> the file whose signature has the fingerprint of what was measured, and the field of it."""

_OF_SCORES = {"scores", "candidates", "known_positives", "no_negatives"}
"""Inputs of a student that are hashes of the rows it read, whatever store they came from."""


@dataclass(frozen=True)
class Need:
    """Something that an artefact was made from.

    Args:
        name: what its manifest calls it: `student`, `qrels`, `teacher`, ...
        key: the hash that identifies it, or what `scored_by` gives.
    """

    name: str
    key: str

    @property
    def is_exact(self) -> bool:
        """Whether the key is a hash of the content."""
        return _HASH.fullmatch(self.key) is not None


def scored_by(teacher_id: str) -> str:
    """The key of the stores that hold a teacher's scores."""
    return f"scores of {teacher_id}"


def cheap_keys(artefact: Artefact) -> set[str]:
    """The keys that stand for an artefact and are known from its manifest, and its figures, alone."""
    made = artefact.manifest
    if made is None:
        return set()
    found = {made.identity}
    if made.outputs:
        found.add(manifest.digest(made.outputs))  # how stores name themselves
    if CANDIDATES_FILE in made.outputs:
        found.add(made.outputs[CANDIDATES_FILE])
    if made.artefact == "evaluation":
        runs = {made.outputs[name] for name in run_files.NAMES if name in made.outputs}
        found |= runs - {key for _, key in _told(_system(artefact))}  # who answers with a run did not make it
    if made.artefact == "scores":
        found |= {scored_by(teacher_id) for teacher_id in made.parameters.get("teachers", {})}
    if made.artefact == "bundle":
        found |= _hashes_below(made.outputs, "query/")
    if (weights := _weights_from(made.outputs)) is not None:
        found.add(weights)
    return found


def costly_keys(artefact: Artefact) -> set[str]:
    """Those for which its files must be read: of collections, sessions, and models whose manifest names none."""
    if artefact.kind in (COLLECTION, SESSIONS):
        return _of_collection(artefact) | _of_sessions(artefact)
    if artefact.manifest is not None and not artefact.manifest.outputs:
        try:
            return {models.resolve(str(artefact.path)).weights_hash}
        except RankdistillError:
            return set()
    return set()


def needs_of(artefact: Artefact) -> list[Need]:
    """What an artefact was made from, as its manifest says it; nothing of one that has none."""
    made = artefact.manifest
    if made is None:
        return []
    digests: set[str] = _DIGESTS.get(artefact.kind, set())
    inputs = {name: key for name, key in on_disk(made.inputs).items() if name not in digests}
    inputs = {name: key for name, key in inputs.items() if f"{name}:0" not in inputs}  # its parts are there
    found: dict[str, Need] = {}
    if teacher_ids := scoring(artefact):
        inputs = {name: key for name, key in inputs.items() if name not in _OF_SCORES}
        found |= {scored_by(one): Need("scores", scored_by(one)) for one in teacher_ids}
    for name, key in inputs.items():
        if _HASH.fullmatch(str(key)):
            found.setdefault(key, Need(_plain(name), key))
    for name, key in _of_tasks(artefact):
        found.setdefault(key, Need(name, key))
    beside = {} if artefact.kind == RUN else {**made.parameters, "system": _system(artefact)}
    for name, key in _told(beside):
        found.setdefault(key, Need(name, key))
    return list(found.values())


def parts_of(inputs: Mapping[str, str], name: str) -> list[str]:
    """The hashes of what an input stands for: its own, or those of the models that make it up."""
    parts = [key for one, key in inputs.items() if one.startswith(f"{name}:")]
    return parts or ([inputs[name]] if name in inputs else [])


def scoring(artefact: Artefact) -> list[str]:
    """The teachers whose scores a student was trained on; of an ensemble its members, which stores know."""
    made = artefact.manifest
    if made is not None and artefact.kind == "fidelity" and made.parameters.get("teacher"):
        return [str(made.parameters["teacher"])]
    if made is None or artefact.kind != "student" or not made.parameters.get("teacher_id"):
        return []
    members = (made.parameters.get("derivation") or {}).get("members")
    return list(members) if isinstance(members, Mapping) else [str(made.parameters["teacher_id"])]


def references_of(artefact: Artefact) -> list[str]:
    """The models that an artefact names: packages in its command and parameters, and what a store's teachers are."""
    made = artefact.manifest
    if made is None:
        return []
    found = list(references_in([dict(made.parameters), made.command]))
    if made.artefact == "embeddings":
        found.append(EmbeddingStore(artefact.path).reference)
    if made.artefact in ("embeddings", "scores"):
        found += [one[names.MODELS] for one in names.read(artefact.path).values() if one.get(names.MODELS)]
    return found


def references_in(value: Any) -> Iterator[str]:
    """Every `pypi:DISTRIBUTION` in parameters, a recipe or a command line."""
    if isinstance(value, str):
        yield from re.findall(r"pypi:[\w.-]+", value)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from references_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from references_in(one)


def _plain(name: str) -> str:
    """The name of an input without a hash in it: `qrels:52f6d968dfde1d14:dev` is `qrels dev`."""
    return " ".join(part for part in name.split(":") if not re.fullmatch(r"[0-9a-f]{16}", part))


def _told(value: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """(what it is, hash) of everything that a nested mapping names by a hash of its content."""
    if isinstance(value, Mapping):
        for field, one in value.items():
            if field in _TELLING and isinstance(one, str) and _HASH.fullmatch(one):
                yield next((_CALLED[name] for name in (field, *reversed(above)) if name in _CALLED), "model"), one
            else:
                yield from _told(one, (*above, str(field)))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _told(one, above)


def _of_tasks(artefact: Artefact) -> Iterator[tuple[str, str]]:
    """(name, hash) of the data of each task in a folder of evaluations on several."""
    if artefact.kind != TASKS:
        return
    for path in locations.listing(artefact.path, f"*/{manifest.FILE_NAME}"):
        try:
            made = manifest.read(path.parent)
        except RankdistillError:
            continue
        if made is not None and made.artefact == TASK:
            for name, key in made.inputs.items():
                if name.partition(":")[0] == "data":
                    yield f"{name.replace(':', ' ')} of {path.parent.name}", key


def _system(artefact: Artefact) -> Any:
    """The fingerprint of what was measured; empty of anything else, and where the file is damaged."""
    if artefact.kind not in _SIGNED:
        return {}
    name, field = _SIGNED[artefact.kind]
    try:
        return plain_json.loads(integrity.read_bytes(artefact.path / name))["signature"][field]
    except (RankdistillError, OSError, ValueError, KeyError, TypeError):
        return {}


def _weights_from(outputs: Mapping[str, str], below: str = "") -> str | None:
    """The hash that a model's folder has as a reference, from those of its files; None where it is no model."""
    names = [name.removeprefix(below) for name in outputs if name.startswith(below)]
    if not {"config.json", "modules.json"} & set(names):
        return None
    chosen = [
        PurePosixPath(name)
        for name in names
        if models.is_weight_file(PurePosixPath(name))  # type: ignore[arg-type]
        and not any(part.startswith(("checkpoint", ".")) for part in PurePosixPath(name).parts)
    ]
    return files.digest_of({path.as_posix(): outputs[f"{below}{path.as_posix()}"] for path in sorted(chosen)})


def _hashes_below(outputs: Mapping[str, str], below: str) -> set[str]:
    found = _weights_from(outputs, below)
    return set() if found is None else {found}


def _of_sessions(artefact: Artefact) -> set[str]:
    """Those of the conversations in a folder, and of each split's rewrites; none where there are none."""
    from rankdistill.sessions import read
    from rankdistill.sessions.reading import is_sessions

    if not is_sessions(artefact.path):
        return set()
    try:
        found = read(artefact.path, "lenient")
        splits = [*found.splits, *([UNJUDGED] if any(one.split is None for one in found.sessions) else [])]
        rewrites = {found.rewrites_hash(name, split) for name in found.rewriters for split in splits}
        return {found.fingerprint, *rewrites}
    except RankdistillError:
        return set()


def _of_collection(artefact: Artefact) -> set[str]:
    from rankdistill.data import load

    try:
        found = load(artefact.path, "lenient")
        return {found.fingerprint, *(found.qrels_hash(split) for split in found.splits)}
    except RankdistillError:
        return set()
