"""A folder of text files: each is a document, its path is its id."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path

from rankdistill import manifest
from rankdistill.data import values
from rankdistill.data.bad_rows import BadRows
from rankdistill.data.converting import decoding, html_text, markdown_text
from rankdistill.data.converting.documents import Found
from rankdistill.data.converting.html_text import Page
from rankdistill.data.values import RowError
from rankdistill.errors import DataError
from rankdistill.records import Document


def _plain(text: str) -> Page:
    return Page("", "", text)


READERS: dict[str, Callable[[str], Page]] = {
    **dict.fromkeys((".txt", ".text"), _plain),
    **dict.fromkeys((".md", ".markdown"), markdown_text.read),
    **dict.fromkeys((".html", ".htm", ".xhtml"), html_text.read),
}
"""End of a file's name, in lower case -> what reads its text."""

PAGES = frozenset({".html", ".htm", ".xhtml"})
"""Those that may name their own encoding."""


@dataclass(frozen=True)
class TextFolder:
    """The text files in a folder and below; hidden files and folders are left out, and what this package made.

    Args:
        folder: the folder, or one file.
        encoding: of all; None: found, of each by itself.
        besides: a folder below that is no part of it, as the output.
        labels: files, resolved, that hold no documents, as a log of queries.
    """

    folder: Path
    encoding: str | None = None
    besides: Path | None = None
    labels: frozenset[Path] = frozenset()
    found: dict[str, list[str]] = field(default_factory=dict)

    @cached_property
    def _walked(self) -> tuple[list[Path], Counter[str], list[str]]:
        """Text files in order, other files by the end of their names, and folders that cannot be read."""
        if self.folder.is_file():
            return [self.folder], Counter(), []
        taken, others, closed = [], Counter[str](), list[str]()
        for path in _visible(self.folder, self.besides, closed, self.labels):
            if path.suffix.lower() in READERS:
                taken.append(path)
            else:
                others[path.suffix.lower() or "no ending"] += 1
        return sorted(taken), others, closed

    @property
    def paths(self) -> list[Path]:
        """The text files, in order."""
        return self._walked[0]

    @property
    def others(self) -> Counter[str]:
        """End of a name -> how many files of that kind, none of text, there are besides."""
        return self._walked[1]

    @property
    def encodings(self) -> list[str]:
        """The encoding of each file, once `documents` was read."""
        return [name for name, files in self.found.items() for _ in files]

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of names and contents; a file that cannot be read counts with its name alone."""
        digest = hashlib.sha256()
        for path in self.paths:
            try:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError:
                content = ""
            digest.update(f"{self._name(path)}\0{content}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def documents(self, bad: BadRows) -> Iterator[Found]:
        """The documents in the order of their paths; files that are none go into `bad`."""
        self.found.clear()
        for folder in self._walked[2]:
            bad.add(Path(folder), 1, "a folder that cannot be read")
        for path in self.paths:
            try:
                yield Found(path, 1, self._document(path), {})
            except RowError as error:
                bad.add(path, 1, str(error))

    def _document(self, path: Path) -> Document:
        doc_id = values.identifier(self._name(path), "path")
        data = decoding.read_bytes(path)
        if not data.strip():
            raise RowError("an empty file")
        suffix = path.suffix.lower()
        declared = html_text.declared(data) if suffix in PAGES else None
        text, encoding = decoding.text_of(data, self.encoding, declared)
        page = READERS[suffix](text) if suffix in READERS else _plain(text)
        title = page.title or page.heading or _of_name(path)
        if not page.text.strip() and not (page.title or page.heading):
            raise RowError("a file without text")
        self.found.setdefault(encoding, []).append(doc_id)
        return Document(doc_id, title, _without(title, page.text))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix() if path != self.folder else path.name


def has_texts(folder: Path, most: int | None = None, labels: frozenset[Path] = frozenset()) -> bool:
    """Whether there is a text file in a folder or below, among the first `most` files, `labels` left out."""
    return any(path.suffix.lower() in READERS for path in islice(_visible(folder, labels=labels), most))


def _visible(
    folder: Path,
    besides: Path | None = None,
    closed: list[str] | None = None,
    labels: frozenset[Path] = frozenset(),
) -> Iterator[Path]:
    """The files in a folder and below that are not hidden; folders that cannot be read are added to `closed`.

    A link to a folder is one, but where it leads to one that was walked already.
    """
    seen = {folder.resolve(), *([besides.resolve()] if besides else [])}
    unread = [] if closed is None else closed

    def is_new(path: Path) -> bool:
        place = path.resolve()
        if place in seen or _is_ours(path):
            return False
        seen.add(place)
        return True

    for root, folders, names in os.walk(
        folder, onerror=lambda error: unread.append(str(error.filename)), followlinks=True
    ):
        folders[:] = [name for name in sorted(folders) if not name.startswith(".") and is_new(Path(root, name))]
        for name in names:
            path = Path(root, name)
            if not name.startswith(".") and (path.is_file() or path.is_symlink()) and not _is_one_of(path, labels):
                yield path


def _is_one_of(path: Path, labels: frozenset[Path]) -> bool:
    return bool(labels) and path.resolve() in labels


def _is_ours(folder: Path) -> bool:
    """Whether a folder holds an artefact of this package, whose cards and vocabularies are no documents."""
    try:
        return manifest.read(folder) is not None
    except (DataError, OSError):
        return False


def _of_name(path: Path) -> str:
    """A title of a file's name: without its end, `_` and `-` as spaces; none where it has no letter, as a number."""
    words = " ".join(re.sub(r"[_-]+", " ", path.stem).split())
    return words if any(sign.isalpha() for sign in words) else ""


def _without(title: str, text: str) -> str:
    """The text without its first line where that is the title, which models read before it."""
    first, _, rest = text.partition("\n")
    return rest.lstrip("\n") if " ".join(first.split()) == title else text


def told(others: Counter[str], most: int = 6) -> str:
    """How many files of which kind, for messages."""
    shown = [f"{count:,} {name}" for name, count in others.most_common(most)]
    return ", ".join([*shown, *(["others"] if len(others) > most else [])])
