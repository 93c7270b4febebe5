"""How a teacher is asked for: a kind and its typed settings, from a model reference or a YAML file; picklable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rankdistill import files, integrity, locations, manifest, plain_json, plain_yaml
from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.inference.backends import is_calibrated
from rankdistill.inference.calibration import Pairs
from rankdistill.inference.loading import PAIR_HEAD, kind_of
from rankdistill.models import name_of, resolve
from rankdistill.teachers.base import PairTeacher

EMBEDDING_STORE = "embedding_store"

TEACHERS = {
    "cross_encoder": "rankdistill.teachers.cross_encoder",
    "embedding": "rankdistill.teachers.embedding",
    EMBEDDING_STORE: "rankdistill.stores.embeddings.teacher",
    "http": "rankdistill.teachers.http.teacher",
    "table": "rankdistill.teachers.table",
    "sparse": "rankdistill.teachers.sparse",
    "multi_vector": "rankdistill.teachers.multi_vector",
    "pair_head": "rankdistill.teachers.pair_head",
    "llm_pointwise": "rankdistill.teachers.llm_pointwise",
    "llm_listwise": "rankdistill.teachers.llm_listwise",
    "ensemble": "rankdistill.teachers.ensemble",
}
"""Kind -> module with `Settings`, a pydantic model, and `load(settings) -> PairTeacher`."""

YAML_SUFFIXES = {".yaml", ".yml"}

_KIND_OF_MODEL = {
    "cross_encoder": "cross_encoder",
    "encoder": "embedding",
    "sparse": "sparse",
    "multi_vector": "multi_vector",
    "causal_lm": "llm_pointwise",
}


@dataclass(frozen=True)
class TeacherSpec:
    """A teacher that is not loaded yet; it can be sent to another process, which loads its own.

    Args:
        kind: a key of `TEACHERS`.
        settings: what that kind's `Settings` takes; JSON values.
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model_name(self) -> str:
        """What people call the model that runs here, without the folders above it; "" where none does."""
        if self.kind == EMBEDDING_STORE:
            return name_of(_store_reference(str(self.settings.get("store", ""))))
        model = self.settings.get("model")
        return name_of(model) if isinstance(model, str) and self.kind != "http" else ""

    def with_calibration(self, draw: Callable[[], Pairs]) -> TeacherSpec:
        """The same teacher, calibrated with the pairs that `draw` gives, if its back end needs some and it has none."""
        if not is_calibrated(str(self.settings.get("backend"))) or self.settings.get("calibration") is not None:
            return self
        return replace(self, settings={**self.settings, "calibration": [list(pair) for pair in draw()]})

    def load(self) -> PairTeacher:
        """Load the teacher.

        Raises:
            ConfigError: an unknown kind, or settings that it does not take.
            ModelReferenceError: the model cannot be loaded as that kind.
        """
        loaded: PairTeacher = import_module(_module_of(self.kind)).load(self.checked())
        return loaded

    def checked(self) -> Any:
        """The settings as those of the kind; raises ConfigError for an unknown kind, or what it does not take."""
        module = import_module(_module_of(self.kind))
        try:
            return module.Settings.model_validate(dict(self.settings))
        except ValidationError as error:
            raise ConfigError(
                expected=f"settings of a {self.kind} teacher: {', '.join(module.Settings.model_fields)}",
                got=plain_yaml.fault_of(error),
                consequence="no teacher was loaded",
                remedy="correct the teacher's settings",
            ) from error


def is_yaml(ref: str) -> bool:
    """Whether `ref` names a file of settings, and not a model."""
    return Path(ref).suffix in YAML_SUFFIXES


def specify(
    ref: str | Mapping[str, Any], kind: str = "auto", backend: str = "auto", max_length: int | None = None
) -> TeacherSpec:
    """The teacher that `ref` names, not loaded yet.

    Args:
        ref: a model reference, or the folder of an embedding store; or a YAML file with `kind` and that kind's
            settings, or these settings themselves, which leave the rest unused.
        kind: a key of `TEACHERS`; `auto` looks into the model's configuration.
        backend: what runs the model.
        max_length: tokens of an input at most; None keeps the model's own.

    Raises:
        ConfigError: an unknown kind, a file that is not such a YAML, or an embedding store with settings other than
            those that it was made with.
        ModelReferenceError: there is no such model.
    """
    if isinstance(ref, Mapping):
        return _from_settings(ref, "the teacher's settings")
    if is_yaml(ref):
        return _from_yaml(Path(ref))
    if kind in ("auto", EMBEDDING_STORE) and _is_embedding_store(ref):
        if backend != "auto" or max_length is not None:
            raise ConfigError(
                expected="no backend and no length beside an embedding store: it has those that it was made with",
                got=f"{ref} with backend {backend}, length {max_length}",
                consequence="no teacher was loaded",
                remedy="leave them out, or name the model instead of the store",
            )
        return TeacherSpec(EMBEDDING_STORE, {"store": ref})
    chosen = _kind_of(resolve(ref).path) if kind == "auto" else kind
    _module_of(chosen)
    settings = {"model": ref, "backend": backend, "max_length": max_length}
    return TeacherSpec(chosen, settings)


def identity_of(ref: str | Mapping[str, Any]) -> str:
    """What identifies the teacher that `ref` names without loading it: a hash of its weights, vectors or settings.

    Of settings, also those in a YAML file, models count by their weights and files by their content, wherever they lie.

    Raises:
        ConfigError: a file that is no YAML with a kind.
        ModelReferenceError: there is no such model.
    """
    if isinstance(ref, str) and not is_yaml(ref):
        return _store_identity(ref) if _is_embedding_store(ref) else resolve(ref).weights_hash
    spec = specify(ref)
    return manifest.digest({"kind": spec.kind, "settings": _by_content(spec.settings)})


def _by_content(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _by_content(one, str(key)) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_by_content(one, name) for one in value]
    if isinstance(value, str) and name == "members":
        return identity_of(value)
    if isinstance(value, str) and name in ("path", "data"):
        return _content(Path(value)) or value
    if isinstance(value, str) and name == "store":
        return _store_identity(value)
    if isinstance(value, str) and name == "model":
        try:
            return resolve(value).weights_hash
        except ModelReferenceError:  # a service's name of its own
            return value
    return value


def _is_embedding_store(ref: str) -> bool:
    found = locations.location(ref)
    return locations.is_local(found) and (found / "teacher.json").is_file()


def _store_reference(ref: str) -> str:
    return str(plain_json.read(integrity.require(locations.location(ref) / "teacher.json"))["reference"])


def _store_identity(ref: str) -> str:
    return manifest.digest(manifest.expect(locations.location(ref), "embeddings", "embed").outputs)


def _content(path: Path) -> str | None:
    """Hash of a file, or of all that a folder holds; None where there is nothing."""
    if path.is_file():
        return files.hash_file(path)
    found = [one for one in locations.all_files(path) if not one.name.startswith(".")]
    return manifest.digest({one.relative_to(path).as_posix(): files.hash_file(one) for one in found}) if found else None


def _kind_of(path: Path) -> str:
    return "pair_head" if (path / PAIR_HEAD).is_file() else _KIND_OF_MODEL[kind_of(path)]


def _module_of(kind: str) -> str:
    if kind not in TEACHERS:
        raise ConfigError(
            expected=f"a kind of teacher among auto, {', '.join(TEACHERS)}",
            got=repr(kind),
            consequence="no teacher was loaded",
            remedy="choose one of them",
        )
    return TEACHERS[kind]


def _from_yaml(path: Path) -> TeacherSpec:
    try:
        content = plain_yaml.read(path)
    except (OSError, yaml.YAMLError) as error:
        raise _bad_yaml(path, str(error)) from error
    return _from_settings(content, path)


def _from_settings(content: object, place: str | Path) -> TeacherSpec:
    if not isinstance(content, Mapping) or not isinstance(content.get("kind"), str):
        raise _bad_yaml(place, "no mapping with `kind`")
    kind = content["kind"]
    _module_of(kind)
    return TeacherSpec(kind, {name: value for name, value in content.items() if name != "kind"})


def _bad_yaml(path: str | Path, got: str) -> ConfigError:
    return ConfigError(
        expected=f"a YAML file with `kind` (one of {', '.join(TEACHERS)}) and that kind's settings",
        got=f"{path}: {got}",
        consequence="no teacher was loaded",
        remedy="correct the file or its path",
    )


def load(ref: str, kind: str = "auto", backend: str = "auto", max_length: int | None = None) -> PairTeacher:
    """The teacher that `ref` names, loaded; see `specify` and `TeacherSpec.load`."""
    return specify(ref, kind, backend, max_length).load()
