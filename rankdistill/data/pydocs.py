"""A real retrieval collection from the API documentation of installed Python packages.

Query: the summary line of a docstring. Relevant document: the rest of that docstring, under the public name of what it
documents. The name is part of the document because that is how API documentation is read and searched, and it keeps
apart methods that differ in little else. It gives the answer away only rarely: BM25 reaches nDCG@10 .52 with names and
.49 without (numpy 2.4, scipy 1.17, torch 2.13, transformers 5.23, ...; 14,563 documents, test split).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rankdistill import manifest
from rankdistill.data import docstrings, near_duplicates
from rankdistill.data.writer import ARTEFACT, Collection, write_beir
from rankdistill.errors import ConfigError, DataError
from rankdistill.records import Document, Query

DEFAULT_PACKAGES = (
    "numpy", "scipy", "scikit-learn", "torch", "transformers", "sentence-transformers", "datasets",
    "polars", "pandas", "pyarrow", "matplotlib", "networkx",
)  # fmt: skip
"""Dependencies of this package, and theirs; those that are not installed are left out."""

LONGEST_DOCUMENT = 1000
"""Characters of a document: about what an encoder of 256 tokens reads, so that BM25 and encoders see the same text."""

QUERY_WORDS = range(4, 41)
SHORTEST_DOCUMENT = 150

_ROLE = re.compile(r":[a-z:]+:`~?([^`<]+?)(?:\s*<[^`>]*>)?`")
_SENTENCE_END = re.compile(r"(?<=[a-z0-9)\]'])\.\s+(?=[A-Z])")
_UNDERLINE = re.compile(r"^\s*([-=~^*])\1{2,}\s*$", re.MULTILINE)
_NO_PROSE = re.compile(r"^\W|^[\w.]+ ?\(|->|>>>|:$|^(Args?|Arguments|Parameters?|Returns?|Notes?|Examples?)\b:?\s*$")
_WORD = re.compile(r"\w+")


class Page(NamedTuple):
    """A docstring that can serve: where it is defined, its summary, its public name, and the rest of its text."""

    source: str
    summary: str
    title: str
    body: str

    @property
    def summary_key(self) -> str:
        """The summary's words in lower case: equal keys are the same question."""
        return " ".join(_WORD.findall(self.summary.lower()))


def build(
    out: Path,
    packages: Sequence[str] | None = None,
    limit: int | None = None,
    compress: bool = False,
    command: str = "",
) -> bool:
    """Write the collection as a BEIR folder with splits train, dev and test (80/10/10 by hash of the query id).

    Each query has one relevant document. Summaries that are too short, too long, or shared by several documents give no
    query; their documents stay, as distractors. Near-duplicate documents are removed. Everything depends only on the
    versions of the packages (and of Python, where a file does not parse) and the arguments.

    Args:
        out: the folder.
        packages: names of installed distributions; None: those of DEFAULT_PACKAGES that are installed.
        limit: keep this many documents, chosen by hash (a smaller limit gives a subset); None: all.
        compress: write `.gz` files.
        command: what the manifest names as the command.

    Returns:
        False if `out` already holds exactly this.

    Raises:
        DataError: a package is not installed, or nothing usable is in them.
        ConfigError: a limit below 1.
        StaleOutputError, OutputError: `out` holds something else, or cannot be written to.
    """
    names = sorted(set(packages or docstrings.installed(DEFAULT_PACKAGES)))
    versions = docstrings.installed(names)
    parameters = {"source": "pydocs", "limit": limit, "compress": compress, "longest": LONGEST_DOCUMENT}
    wanted = manifest.Manifest(ARTEFACT, versions, parameters, manifest.versions_of(), command)
    return write_beir(out, lambda: collect(names, limit), wanted, compress)


def collect(packages: Sequence[str], limit: int | None = None) -> Collection:
    """The collection of `build`, in memory. Of near-duplicates the first in order of `packages` is kept.

    Raises:
        ConfigError: a limit below 1.
        DataError: a package is not installed, or nothing usable is in them.
    """
    if limit is not None and limit < 1:
        raise ConfigError(
            expected="a limit of at least 1", got=str(limit), consequence="nothing was written", remedy="raise it"
        )
    pages = [page for package in packages for page in _pages(package)]
    kept = near_duplicates.first_of_each([page.body for page in pages])
    pages = [pages[position] for position in kept]
    times_asked = Counter(page.summary_key for page in pages)
    chosen = sorted(pages, key=lambda page: _hash(page.source))[:limit]
    if not chosen:
        raise DataError(
            expected="packages with documented functions or classes",
            got=", ".join(packages) or "no package",
            consequence="nothing was written",
            remedy=f"name other packages, for example {' '.join(DEFAULT_PACKAGES[:3])}",
        )
    queries: list[Query] = []
    qrels: dict[str, dict[str, dict[str, int]]] = {"train": {}, "dev": {}, "test": {}}
    for page in chosen:
        if times_asked[page.summary_key] == 1 and len(_WORD.findall(page.summary)) in QUERY_WORDS:
            query_id = _hash(page.source)[:16]
            queries.append(Query(query_id, page.summary))
            qrels[_split(query_id)][query_id] = {page.source: 1}
    documents = [Document(page.source, page.title, page.body) for page in chosen]
    return Collection(documents, queries, {split: judged for split, judged in qrels.items() if judged})


def _pages(package: str) -> Iterator[Page]:
    """The package's docstrings with a prose summary and enough text below it."""
    for name, text in docstrings.of_package(package):
        summary, body = _divide(_plain(text))
        if not _NO_PROSE.search(summary) and len(body) >= SHORTEST_DOCUMENT:
            public = ".".join(part for part in name.split(".") if not part.startswith("_"))
            yield Page(name, summary, public, body)


def _plain(text: str) -> str:
    """The docstring without reStructuredText roles, double back-quotes and underlines."""
    return _UNDERLINE.sub("", _ROLE.sub(r"\1", text)).replace("``", "`")


def _divide(text: str) -> tuple[str, str]:
    """The first sentence, and the rest without any repetition of that sentence, cut to length."""
    first, _, rest = text.strip().partition("\n\n")
    summary, *more = _SENTENCE_END.split(" ".join(first.split()), maxsplit=1)
    summary = summary.rstrip(".").strip()
    body = " ".join([*more, *rest.split()])
    body = re.sub(re.escape(summary), "", body, flags=re.IGNORECASE).strip(" .")
    if len(body) > LONGEST_DOCUMENT:
        body = body[:LONGEST_DOCUMENT].rpartition(" ")[0]
    return summary, body


def _split(query_id: str) -> str:
    """80% train, 10% dev, 10% test."""
    bucket = int(query_id, 16) % 10
    return "test" if bucket == 0 else "dev" if bucket == 1 else "train"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
