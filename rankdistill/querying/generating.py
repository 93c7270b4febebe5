"""Asking a generator for the queries of all documents, some at a time, so that a stop loses little."""

from __future__ import annotations

from collections.abc import Sequence

from rankdistill.errors import TeacherError
from rankdistill.notes import tell
from rankdistill.progress import Progress
from rankdistill.querying.cache import Cache
from rankdistill.querying.generator import Generator, Written
from rankdistill.querying.sieve import repeated_share
from rankdistill.records import Document
from rankdistill.teachers.http.refusals import Refusals, UnansweredError

LOOK_AFTER, HOPELESS = 100, 0.9
"""After so many documents a costly generator is stopped if this share of its queries repeat themselves."""


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
        TeacherError: see `Generator.generate`, of refused documents when all others were asked about; or a costly one
            repeats itself and nothing else.
    """
    found: list[list[Written]] = []
    looked, refusals, answered = not generator.costly, Refusals("documents"), 0
    if generator.costly:
        new = sum(cache is None or cache.get(document) is None for document in documents)
        tell(f"{generator.fingerprint['kind']}: {new:,} of {len(documents):,} documents to be asked about")
    for start in range(0, len(documents), unit_size):
        unit = documents[start : start + unit_size]
        held = [None if cache is None else cache.get(document) for document in unit]
        missing = [place for place, written in enumerate(held) if written is None]
        progress(len(unit) - len(missing))
        came: list[int] = []
        refused: UnansweredError | None = None
        try:
            for number, written in generator.generate([unit[place] for place in missing], count) if missing else ():
                held[missing[number]] = written[:count]
                came.append(missing[number])
                if cache is not None and generator.alone:
                    cache.keep(unit[missing[number]], written[:count])
                progress(1)
        except UnansweredError as error:
            refused = error
        finally:
            if cache is not None and (generator.alone or len(came) == len(missing)):
                cache.add([(unit[place], held[place] or []) for place in sorted(came)])
        answered += sum(written is not None for written in held)
        if refused is not None:
            refusals.add(refused, [unit[place].doc_id for place in missing], answered)
        found += [written or [] for written in held]
        if not looked and len(found) >= LOOK_AFTER:
            looked = True
            _require_variety(generator, found)
    refusals.require_none()
    return found


def _require_variety(generator: Generator, lists: Sequence[Sequence[Written]]) -> None:
    share = repeated_share(lists)
    if share >= HOPELESS:
        example = next(one.text for queries in lists for one in queries)
        raise TeacherError(
            expected=f"different queries of different documents from {generator.fingerprint['kind']}",
            got=f"{share:.0%} of those of the first {len(lists):,} documents say words over and over, or the same of "
            f"many documents, as {example[:80]!r}",
            consequence="generation was stopped, as the rest would be dropped too; no collection was written",
            remedy="take another model, or change its prompt or sampling",
        )
