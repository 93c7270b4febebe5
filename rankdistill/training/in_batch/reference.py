"""Which in-batch teacher a reference names: a store, a model, or an ensemble of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rankdistill import locations, models
from rankdistill.errors import ConfigError
from rankdistill.manifest import digest
from rankdistill.stores.embeddings.layout import is_store
from rankdistill.teachers.ensemble import KIND as ENSEMBLE
from rankdistill.teachers.ensemble import Settings as EnsembleSettings
from rankdistill.teachers.registry import TeacherSpec, identity_of, is_yaml, specify
from rankdistill.training.config import TrainConfig
from rankdistill.training.in_batch.teacher import InBatchTeacher

KINDS = ("embedding", "sparse", "multi_vector")
"""Kinds of teachers that score any query with any document from what they made of each text alone."""


@dataclass(frozen=True)
class Reference:
    """An in-batch teacher that is not opened yet.

    Args:
        name: as it was given.
        identity: hash of its content: of a store's vectors, or of a model's weights and settings.
        open: gives the teacher; what it encodes is kept in the folder.
        parts: hashes of the models and stores that the identity is a hash of; empty where it is that of one itself.
    """

    name: str
    identity: str
    open: Callable[[Path], InBatchTeacher]
    parts: tuple[str, ...] = ()

    def inputs(self, name: str) -> dict[str, str]:
        """What a manifest has of it as `name`: its identity, and what that stands for, for who looks for parents."""
        return {name: self.identity} | {f"{name}:{number}": part for number, part in enumerate(self.parts)}


def of_config(config: TrainConfig) -> Reference | None:
    """The in-batch teacher of a run; None where there is none that decides anything. See `refer` for what it raises."""
    if config.in_batch_teacher is None or not config.uses_in_batch_teacher:
        return None
    return refer(config.in_batch_teacher)


def of_alignment(config: TrainConfig) -> Reference | None:
    """The teacher whose vectors the student of a run stays near to, where it is not the in-batch teacher."""
    if config.alignment_teacher is None or not config.aligns:
        return None
    return refer(config.alignment_teacher)


def of_tower(config: TrainConfig) -> Reference | None:
    """The model or store whose documents the student of a run is trained against; None: it embeds them itself."""
    return None if config.document_tower is None else refer(config.document_tower)


def refer(name: str) -> Reference:
    """The in-batch teacher that `name` stands for; nothing is loaded yet.

    Args:
        name: the folder of an embedding store, or a model: path, hub id, `pypi:DISTRIBUTION`, or a YAML file with its
            kind and settings. One of the kind `ensemble` has `deviations`, and its members may be stores too; its
            `backend` and `max_length` are those of members that are named without settings.

    Raises:
        DataError: a store that is not finished.
        ConfigError: a teacher that gives no vectors, a file that is no YAML with a kind, or an ensemble that wants a
            store loaded otherwise than it was made.
        ModelReferenceError: there is no such model.
    """
    return _refer(name)


def require_any_pair(name: str, kind: str = "auto") -> None:
    """Raise what `refer` does for a teacher that cannot score any query with any document.

    Args:
        name: as `refer` takes it.
        kind: of the teacher; `auto` looks into the model.
    """
    _refer(name, kind)


def _refer(name: str, kind: str = "auto", backend: str = "auto", max_length: int | None = None) -> Reference:
    """The teacher, loaded as `teachers.registry.specify` says; a store has what it was made with."""
    place = locations.location(name)
    if not is_yaml(name) and is_store(place):
        specify(name, kind, backend, max_length)
        return _of_store(name, place)
    name = locations.home(name)
    spec = specify(name, kind, backend, max_length)
    return _of_ensemble(name, spec) if spec.kind == ENSEMBLE else _of_model(name, spec, _identity(name, spec))


def _identity(name: str, spec: TeacherSpec) -> str:
    """Of a model by its weights, and by how it is loaded where that is not as it is by itself."""
    if is_yaml(name):
        return identity_of(name)
    how = {setting: spec.settings[setting] for setting in ("backend", "max_length")}
    changed = {setting: value for setting, value in how.items() if value not in ("auto", None)}
    return digest({"model": identity_of(name), **changed}) if changed else identity_of(name)


def require_vectors(type_: str, compares: bool) -> None:
    """Raise ConfigError for a type of student that does not compare a query with the other queries' documents."""
    if not compares:
        raise ConfigError(
            expected="a student that compares any query with any document, beside an in-batch teacher",
            got=f"the type {type_}, which scores each query with documents of its own",
            consequence="nothing was trained",
            remedy="leave in_batch_teacher out, or train another type",
        )


def of_tokens(config: TrainConfig, type_: str) -> str | None:
    """Hash of the content of the teacher whose tokens are compared; None where there is none.

    Raises:
        ConfigError: a type of student that is not made of token vectors.
        ModelReferenceError: there is no such model.
    """
    if config.token_teacher is None:
        return None
    if type_ != "multi-vector":
        raise ConfigError(
            expected="a multi-vector student for token_relations_weight",
            got=f"the type {type_}, whose token vectors are not compared with anything",
            consequence="nothing was trained",
            remedy="leave token_relations_weight out, or train a multi-vector student",
        )
    return models.resolve(config.token_teacher).weights_hash


def require_dense(type_: str, setting: str) -> None:
    """Raise ConfigError for a type of student that has no vector of a text, which `setting` needs."""
    if type_ != "dense":
        raise ConfigError(
            expected=f"a dense student for {setting}",
            got=f"the type {type_}, which has no vector in a dense space",
            consequence="nothing was trained",
            remedy=f"leave {setting} out, or train another type",
        )


def _of_store(name: str, place: Path) -> Reference:
    from rankdistill.stores.embeddings.reader import EmbeddingStore

    store = EmbeddingStore(place)

    def opened(folder: Path) -> InBatchTeacher:
        from rankdistill.training.in_batch.stored import StoredTeacher

        return StoredTeacher(store)

    return Reference(name, store.identity, opened)


def _of_model(name: str, spec: TeacherSpec, identity: str) -> Reference:
    if spec.kind not in KINDS:
        raise ConfigError(
            expected="an in-batch teacher that has vectors of single texts: an embedding store, or a dense, sparse or "
            "multi-vector model",
            got=f"{models.name_of(name)}: a teacher of the kind {spec.kind}",
            consequence="nothing was trained: it would have to read every query with every document of the batch",
            remedy="name another in_batch_teacher; the stored scores that are trained on may be of any teacher",
        )

    def opened(folder: Path) -> InBatchTeacher:
        from rankdistill.training.in_batch.encoded import open_encoded

        return open_encoded(spec, identity, folder)

    model = spec.settings.get("model")
    weights = identity_of(model) if isinstance(model, str) else identity
    return Reference(name, identity, opened, () if weights == identity else (weights,))


def _of_ensemble(name: str, spec: TeacherSpec) -> Reference:
    settings = spec.checked()
    assert isinstance(settings, EnsembleSettings)
    if settings.deviations is None:
        raise ConfigError(
            expected="`deviations` in an ensemble that is an in-batch teacher, one a member",
            got=f"{name} without them",
            consequence="nothing was trained: z-scores over the documents of a batch would depend on the batch",
            remedy="give what each member's scores are to be divided by, such as their mean deviation within a query",
        )
    members = [
        _refer(one, backend=settings.backend, max_length=settings.max_length)
        if isinstance(one, str)
        else _of_model(f"a member of {name}", specify(one), identity_of(one))
        for one in settings.members
    ]
    weights = settings.weights or (1.0,) * len(members)
    factors = [
        weight / sum(weights) / deviation for weight, deviation in zip(weights, settings.deviations, strict=True)
    ]

    def opened(folder: Path) -> InBatchTeacher:
        from rankdistill.training.in_batch.ensemble import WeightedTeachers

        return WeightedTeachers([member.open(folder) for member in members], factors)

    identity = digest({"members": [member.identity for member in members], "factors": factors})
    parts = [part for member in members for part in member.parts or (member.identity,)]
    return Reference(name, identity, opened, tuple(dict.fromkeys(parts)))
