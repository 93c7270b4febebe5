"""What a service refuses while it answers the rest: gathered, so that one text does not stop the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rankdistill.errors import TeacherError

MOST_REFUSED = 20
"""So many refusals, where they are more than the answers too, are not about these texts."""


class UnansweredError(TeacherError):
    """Some of what was asked together has no answer; the answers to the rest came before.

    Args:
        errors: number of what was asked -> what is wrong with it; one at least.
        asked: how many were asked together.
    """

    def __init__(self, errors: Mapping[int, TeacherError], asked: int) -> None:
        self.errors, self.asked = dict(errors), asked
        first = next(iter(self.errors.values()))
        some = f" ({len(self.errors):,} of {asked:,} that were asked)" if asked > 1 else ""
        super().__init__(
            expected=first.expected,
            got=f"{first.got}{some}",
            consequence="these have no answer; those to the others are kept",
            remedy=first.remedy,
        )

    def __reduce__(self) -> tuple[object, ...]:
        return UnansweredError, (self.errors, self.asked)


def too_many(refused: int, answered: int) -> bool:
    """Whether so many are refused, beside so many answers, that it is not about what was asked."""
    return refused > MOST_REFUSED and refused > answered


class Refusals:
    """What a run over many units was refused.

    Args:
        what: that was asked about, in the plural, for messages.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._refused: dict[str, TeacherError] = {}

    def add(self, error: UnansweredError, ids: Sequence[str], answered: int) -> None:
        """Keep what one unit was refused; the run goes on.

        Args:
            error: of the unit.
            ids: of what was asked in it, by number.
            answered: answers that there are so far, before this run too.

        Raises:
            TeacherError: nothing was answered at all, or too little.
        """
        self._refused |= {ids[number]: found for number, found in error.errors.items()}
        if not answered or too_many(len(self._refused), answered):
            self.require_none()

    def require_none(self) -> None:
        """Raise TeacherError, with how many were refused and which, if any were."""
        if not self._refused:
            return
        ids: Collection[str] = self._refused
        first = next(iter(self._refused.values()))
        named = ", ".join([*list(ids)[:10], *(["..."] if len(ids) > 10 else [])])
        raise TeacherError(
            expected=first.expected,
            got=f"{first.got} ({len(ids):,} {self._what}: {named})",
            consequence="these have no answer, so nothing was written; the answers to the others are kept",
            remedy=f"{first.remedy}; or leave these {self._what} out, and run the same command again",
        )
