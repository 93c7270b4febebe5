"""Where what went into a student may lie: folders that are named, and those that manifests' commands name.

A place is only looked into. What counts is found by the hash of its content, so a wrong place does no harm.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from rankdistill import manifest, models
from rankdistill.bundles.layout import is_bundle
from rankdistill.data import Dataset, load
from rankdistill.data.beir import CORPUS
from rankdistill.errors import RankdistillError
from rankdistill.manifest import Manifest
from rankdistill.stores.embeddings.layout import ARTEFACT as EMBEDDINGS
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.stores.layout import ARTEFACT as SCORES
from rankdistill.stores.reader import ScoreStore
from rankdistill.teachers import names

DEPTH = 4
"""How far below a place is looked."""


class Places:
    """The artefacts, collections and models at some places, and at those that their manifests name.

    Args:
        given: folders, or references of models.
    """

    def __init__(self, given: Sequence[str]) -> None:
        self.folders: list[Path] = []
        self.references: list[str] = []
        todo, seen = list(given), set[str]()
        while todo:
            word = todo.pop(0)
            if word in seen:
                continue
            seen.add(word)
            self._add(word)
            for folder in self._below(word):
                if folder not in self.folders:
                    self.folders.append(folder)
                todo += _words(manifest_of(folder))
        stores: list[ScoreStore | EmbeddingStore] = [*self.score_stores, *self.embedding_stores]
        for store in stores:
            self._add_teachers(store)

    def _add(self, word: str) -> None:
        if word.startswith("pypi:") or _is_model(Path(word)):
            self.references.append(word)

    def _add_teachers(self, store: ScoreStore | EmbeddingStore) -> None:
        """The models that the store knows its teachers by."""
        known = [store.reference] if isinstance(store, EmbeddingStore) else []
        known += [one.get(names.MODELS, "") for one in names.read(store.layout.root).values()]
        self.references += [one for one in known if one and one not in self.references]

    def _below(self, word: str) -> Iterator[Path]:
        root = Path(word)
        if not root.is_dir():
            return
        for folder in (root, *(path for path in sorted(root.rglob("*")) if path.is_dir())):
            if len(folder.relative_to(root).parts) <= DEPTH and (
                (folder / manifest.FILE_NAME).is_file() or _is_collection(folder) or _is_model(folder)
            ):
                yield folder

    @cached_property
    def score_stores(self) -> list[ScoreStore]:
        """Finished stores of scores."""
        return [ScoreStore(folder) for folder in self._of(SCORES)]

    @cached_property
    def embedding_stores(self) -> list[EmbeddingStore]:
        """Finished stores of vectors."""
        return [EmbeddingStore(folder) for folder in self._of(EMBEDDINGS)]

    @cached_property
    def collections(self) -> list[Dataset]:
        """Every collection that can be read."""
        found = []
        for folder in self.folders:
            if _is_collection(folder):
                try:
                    found.append(load(folder))
                except RankdistillError:
                    continue
        return found

    @cached_property
    def models(self) -> dict[str, str]:
        """Hash of the weights -> a model that has them: one that we made, else one that a user typed, else a folder."""
        found: dict[str, str] = {}
        ours = [str(folder) for kind in ("student", "teacher") for folder in self._of(kind)]
        there = [str(folder) for folder in self.folders if _is_model(folder)]
        for reference in (*ours, *self.references, *there):
            try:
                found.setdefault(models.resolve(reference).weights_hash, reference)
            except RankdistillError:
                continue
        return found

    def collection(self, fingerprint: str) -> Dataset | None:
        """The collection with this content."""
        return next((one for one in self.collections if one.fingerprint == fingerprint), None)

    def _of(self, artefact: str) -> list[Path]:
        found = []
        for folder in self.folders:
            made = manifest_of(folder)
            if made is not None and made.artefact == artefact:
                found.append(folder)
        return found


def manifest_of(folder: Path) -> Manifest | None:
    """What made the folder; None where nothing of ours did."""
    try:
        return manifest.read(folder)
    except RankdistillError:
        return None


def _words(made: Manifest | None) -> list[str]:
    """What a command names that may be a place or a model."""
    if made is None or not made.command:
        return []
    try:
        words = shlex.split(made.command)
    except ValueError:
        return []
    parts = [part for word in words for part in re.split(r"[=,]", word) if part and not part.startswith("-")]
    parts += re.findall(r"'([^']+)'", made.command) if "(" in made.command else []
    named = [part.split(":", 1)[1] if part.startswith("dense:") else part for part in parts]
    return [one for one in named if one.startswith("pypi:") or _is_far_below(Path(one).expanduser())]


def _is_far_below(path: Path) -> bool:
    """Whether it is a folder, and none that holds half a disk."""
    return path.is_dir() and len(path.resolve().parts) > 2 and path.resolve() != Path.cwd().resolve()


def _is_collection(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (CORPUS, f"{CORPUS}.gz"))


def _is_model(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    is_plain = (folder / "modules.json").is_file() or (folder / "config.json").is_file()
    return is_plain and not is_bundle(str(folder))
