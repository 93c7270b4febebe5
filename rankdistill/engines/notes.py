"""What a collection says of itself: the space of its vectors, what they came from, whether they are all there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rankdistill import plain_json
from rankdistill.engines.base import Leg, LegName
from rankdistill.errors import DataError, SpaceMismatchError
from rankdistill.indexing.kinds import KINDS

FORMAT = 1


@dataclass(frozen=True)
class Note:
    """Kept in the collection, as JSON.

    Args:
        legs: its kinds of vectors.
        source: identity of the index or the store that they came from.
        ids: hash of the ids of its documents.
        documents: how many there are to be.
        exact: whether no graph was built.
        token: tells this collection from an earlier one of its name.
        complete: whether all were written and counted.
        graph: parameters that were given for its graph; None: not known, in a note from before they were kept.
        contents: hash of what its documents say, see `rankdistill.indexing.contents`; "": not known.
    """

    legs: Mapping[LegName, Leg]
    source: str
    ids: str
    documents: int
    exact: bool
    token: str
    complete: bool = False
    graph: Mapping[str, int] | None = None
    contents: str = ""

    @property
    def spaces(self) -> dict[str, str]:
        """Leg -> fingerprint of its space."""
        return {name: leg.space.fingerprint for name, leg in self.legs.items()}

    def dumps(self) -> str:
        """As one line of JSON."""
        legs = {
            name: {
                "space": leg.space.to_json(),
                "fingerprint": leg.space.fingerprint,
                "model": leg.model,
                "max_length": leg.max_length,
            }
            for name, leg in self.legs.items()
        }
        return json.dumps({"rankdistill": FORMAT, **asdict(self), "legs": legs}, sort_keys=True, ensure_ascii=True)

    @classmethod
    def loads(cls, text: str, collection: str) -> Note:
        """Read what `dumps` wrote.

        Raises:
            DataError: it is no such note.
            SpaceMismatchError: it was edited: a space does not have its fingerprint.
        """
        try:
            found: dict[str, Any] = plain_json.loads(text)
            if found.pop("rankdistill") != FORMAT:
                raise ValueError("of another version of rankdistill")
            told = {name: leg.pop("fingerprint") for name, leg in found["legs"].items()}
            legs = {
                name: Leg(name, KINDS[name].space(**leg["space"]), leg["model"], leg["max_length"])
                for name, leg in found.pop("legs").items()
            }
            note = cls(legs=legs, **found)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                expected=f"a collection that `rankdistill push` made: its note says of which space {collection!r} is",
                got=f"{text[:60]!r}: {error}" if text else "a collection without such a note",
                consequence="nothing was run: what its vectors are is not known",
                remedy="give another --collection; or --replace, which removes this one and all that it holds",
            ) from error
        if note.spaces != told:
            raise SpaceMismatchError(
                expected=f"the note of {collection!r} as it was written",
                got="a space that does not have its fingerprint: the note was edited",
                consequence="the vectors may belong to another space, so nothing was run",
                remedy="push the index again with --replace",
            )
        return note


def require_same_spaces(note: Note, legs: Mapping[LegName, Leg], collection: str) -> None:
    """Raise SpaceMismatchError unless a collection is of the spaces of what is pushed into it."""
    wanted = {name: leg.space.fingerprint for name, leg in legs.items()}
    if note.spaces == wanted:
        return
    differing = []
    for name in sorted({*note.legs, *legs}):
        if name not in legs or name not in note.legs:
            differing.append(f"{name}: only in {'the collection' if name in note.legs else 'what is pushed'}")
        elif note.spaces[name] != wanted[name]:
            parts = note.legs[name].space.differences(legs[name].space)
            differing += [
                f"{name} {part}: collection {one!r}, pushed {other!r}" for part, (one, other) in parts.items()
            ]
    raise SpaceMismatchError(
        expected=f"vectors of the spaces of the collection {collection!r}",
        got="; ".join(differing),
        consequence="nothing was pushed: scores between the two would mean nothing",
        remedy="push into another --collection; or give --replace, which removes this one and all that it holds",
    )
