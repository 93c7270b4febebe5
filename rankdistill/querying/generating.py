"""Asking a generator for the queries of all documents, some at a time, so that a stop loses little."""

from __future__ import annotations

from collections.abc import Sequence

from rankdistill.progress import Progress
from rankdistill.querying.cache import Cache
from rankdistill.querying.generator import Generator, Written
from rankdistill.records import Document


def generate_all(
    generator: Generator,
    documents: Sequence[Document],
    count: int,
    unit_size: int,
    cache: Cache | None,
    progress: Progress,
) -> list[list[Written]]:
    """The queries of each document, in the order of `documents`.

    Units are the same documents whatever a stopped run finished, so that the queries are too. What came before an
    error is kept in `cache`, see `Generator.alone`.

    Args:
        generator: makes them.
        documents: of the corpus.
        count: queries of a document at most.
        unit_size: documents at a time.
        cache: what was made before; None: nothing is kept.
        progress: called with the number of documents just done.

    Raises:
        TeacherError: see `Generator.generate`.
    """
    found: list[list[Written]] = []
    for start in range(0, len(documents), unit_size):
        unit = documents[start : start + unit_size]
        held = [None if cache is None else cache.get(document) for document in unit]
        missing = [place for place, written in enumerate(held) if written is None]
        progress(len(unit) - len(missing))
        came: list[int] = []
        try:
            for number, written in generator.generate([unit[place] for place in missing], count) if missing else ():
                held[missing[number]] = written[:count]
                came.append(missing[number])
                progress(1)
        finally:
            if cache is not None and (generator.alone or len(came) == len(missing)):
                cache.add([(unit[place], held[place] or []) for place in sorted(came)])
        found += [written or [] for written in held]
    return found
