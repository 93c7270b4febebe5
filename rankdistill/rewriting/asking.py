"""Asking a rewriter about all questions, some at a time, so that a stop loses little."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rankdistill.errors import TeacherError
from rankdistill.notes import tell
from rankdistill.progress import Progress
from rankdistill.rewriting.cache import Cache
from rankdistill.rewriting.rewriter import Rewriter
from rankdistill.sessions.schema import Asked
from rankdistill.teachers.http.refusals import Refusals, UnansweredError

LOOK_AFTER, LEAST, HOPELESS = 50, 20, 0.9
"""After so many conversations, or all where there are fewer but `LEAST`, a rewriter is stopped that says the same of
this share of them, or nothing."""


def rewrite_all(
    rewriter: Rewriter, asked: Sequence[Asked], unit_size: int, cache: Cache | None, progress: Progress
) -> list[str]:
    """The rewrite of each question, in their order; empty where the rewriter gave none.

    A question that opens its conversation is its own rewrite, unless the rewriter looks rewrites up. Conversations that
    say the same are asked about once. Units are the same whatever a stopped run finished, so that the rewrites are too.

    Args:
        rewriter: see `Rewriter`.
        asked: the questions.
        unit_size: questions at a time.
        cache: what was made before; None: nothing is kept.
        progress: called with the number of questions just done.

    Raises:
        TeacherError: see `Rewriter.rewrite`, of refused questions when all others were asked about; or it says the same
            of nearly every conversation.
    """
    if not rewriter.costly:
        found = dict(rewriter.rewrite(asked))
        progress(len(asked))
        return [found[number] for number in range(len(asked))]
    places: dict[tuple[str, ...], list[int]] = {}
    made = [""] * len(asked)
    for number, one in enumerate(asked):
        said = tuple(one.said)
        if len(said) == 1:
            made[number] = one.turn.text
            progress(1)
        else:
            places.setdefault(said, []).append(number)
    several = list(places.values())
    new = sum(cache is None or cache.get(asked[one[0]]) is None for one in several)
    kind = rewriter.fingerprint["kind"]
    tell(f"{kind}: {new:,} conversations of {len(asked):,} questions to be asked about")
    looked, refusals = False, Refusals("questions")
    for start in range(0, len(several), unit_size):
        unit = several[start : start + unit_size]
        try:
            _fill(rewriter, [asked[one[0]] for one in unit], unit, made, cache, progress)
        except UnansweredError as error:
            refusals.add(error, [asked[one[0]].turn_id for one in unit], sum(made[one[0]] != "" for one in several))
        if not looked and (start + len(unit) >= LOOK_AFTER or start + unit_size >= len(several)):
            looked = True
            _require_sense(kind, [made[one[0]] for one in several[: start + len(unit)]])
    refusals.require_none()
    return made


def _fill(
    rewriter: Rewriter,
    asked: Sequence[Asked],
    places: Sequence[Sequence[int]],
    made: list[str],
    cache: Cache | None,
    progress: Progress,
) -> None:
    """Rewrite one unit into `made`; what came before an error is kept in `cache`, see `Rewriter.alone`.

    Raises:
        UnansweredError: some were refused, by their numbers in the unit.
    """
    held = [None if cache is None else cache.get(one) for one in asked]
    missing = [number for number, rewrite in enumerate(held) if rewrite is None]
    came: list[int] = []
    for number, rewrite in enumerate(held):
        if rewrite is not None:
            progress(len(places[number]))
    try:
        for number, rewrite in rewriter.rewrite([asked[place] for place in missing]) if missing else ():
            held[missing[number]] = rewrite
            came.append(missing[number])
            if cache is not None and rewriter.alone:
                cache.keep(asked[missing[number]], rewrite)
            progress(len(places[missing[number]]))
    except UnansweredError as error:
        raise UnansweredError({missing[number]: found for number, found in error.errors.items()}, len(asked)) from error
    finally:
        if cache is not None and (rewriter.alone or len(came) == len(missing)):
            cache.add([(asked[number], held[number] or "") for number in sorted(came)])
        for number, rewrite in enumerate(held):
            for place in places[number]:
                made[place] = rewrite or ""


def _require_sense(kind: str, rewrites: Sequence[str]) -> None:
    """Raise TeacherError where nearly all rewrites are one and the same text, or none."""
    if len(rewrites) < LEAST:
        return
    example, count = Counter(rewrites).most_common(1)[0]
    if count >= HOPELESS * len(rewrites):
        said = f"{example[:80]!r}" if example else "nothing"
        raise TeacherError(
            expected=f"different rewrites of different conversations from {kind}",
            got=f"{said} for {count:,} of the first {len(rewrites):,}",
            consequence="rewriting was stopped: the rest would be as useless; nothing was written",
            remedy="take another model, or change its prompt",
        )
