"""Sessions that were read: their splits, questions, judgements, and the text that each question is searched with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rankdistill.data.beir import CORPUS, UNJUDGED
from rankdistill.display import Shown, Table
from rankdistill.errors import ConfigError, DataError
from rankdistill.inference.conversation import Conversation
from rankdistill.manifest import digest
from rankdistill.sessions.schema import Asked, Session

if TYPE_CHECKING:
    import polars as pl

Missing = Literal["error", "question", "drop"]
"""What becomes of a question without a rewrite: an error, the question itself, or nothing."""


@dataclass(frozen=True, eq=False, repr=False)
class Sessions(Shown):
    """Sessions that were read; they print as a count for each split, and of each name of rewrites.

    Args:
        path: their folder, or file.
        sessions: in file order.
        fingerprint: SHA-256 (hex) of what the file of sessions says, without the rewrites beside it.
        reports: `file:line: problem` of each session left out; empty unless read leniently.
    """

    path: Path
    sessions: Sequence[Session] = field(repr=False)
    fingerprint: str
    reports: Sequence[str] = ()

    @property
    def splits(self) -> list[str]:
        """The splits there are, sorted; sessions of none are not among them."""
        return sorted({session.split for session in self.sessions if session.split is not None})

    @property
    def has_documents(self) -> bool:
        """Whether the folder is a collection too, with the documents that are searched."""
        return any((self.path / name).is_file() for name in (CORPUS, f"{CORPUS}.gz"))

    @cached_property
    def rewriters(self) -> dict[str, int]:
        """Name of rewrites -> questions that have one, most first."""
        return dict(Counter(name for one in self.asked() for name in one.turn.rewrites).most_common())

    def asked(self, split: str | None = None, judged: bool = False) -> list[Asked]:
        """The questions of a split, in file order.

        Args:
            split: None: of all; `unjudged`: of the sessions of no split.
            judged: those with a relevant document alone.

        Raises:
            DataError: no such split.
        """
        if split is not None:
            self.require_split(split)
        wanted = None if split == UNJUDGED else split
        kept = [one for one in self.sessions if split is None or one.split == wanted]
        found = [asked for session in kept for asked in session.asked]
        return [one for one in found if not judged or any(label > 0 for label in one.turn.gold.values())]

    def require_split(self, split: str) -> None:
        """Raise DataError where there is no such split; `unjudged`, the sessions of none, is one."""
        if split not in (*self.splits, UNJUDGED):
            raise DataError(
                expected=f"a split of {self.path}: {', '.join(self.splits) or 'it has none'}",
                got=repr(split),
                consequence="nothing was run",
                remedy="name one of those" if self.splits else "convert them again, with --test and --dev, or --qrels",
            )

    def qrels(self, split: str | None = None) -> dict[str, dict[str, int]]:
        """turn_id -> doc_id -> label, of the questions that are judged; DataError where there is no such split."""
        return {one.turn_id: dict(one.turn.gold) for one in self.asked(split) if one.turn.gold}

    def questions(self, split: str | None = None) -> dict[str, str]:
        """turn_id -> the question alone, as it was asked; DataError where there is no such split."""
        return {one.turn_id: one.turn.text for one in self.asked(split)}

    def texts(
        self,
        conversation: Conversation,
        split: str | None = None,
        *,
        length: Callable[[str], int] | None = None,
        most: int | None = None,
    ) -> dict[str, str]:
        """turn_id -> the conversation up to the question as one text, the query of a model that reads conversations.

        Args:
            conversation: the format, see `rankdistill.inference.conversation.named`.
            split: as in `asked`.
            length: tokens of a text, special ones counted; needed where the format cuts by whole turns.
            most: tokens that the model reads.

        Raises:
            ConfigError: the format needs `length` and `most`.
            DataError: no such split.
        """
        return {one.turn_id: conversation.join(one.said, length, most) for one in self.asked(split)}

    def rewrites(self, name: str, split: str | None = None, missing: Missing = "error") -> dict[str, str]:
        """turn_id -> the first rewrite of that name, the query of a model that reads none.

        Args:
            name: of rewrites, one of `rewriters`.
            split: as in `asked`.
            missing: what becomes of a question without one.

        Raises:
            ConfigError: no rewrites of that name at all.
            DataError: no such split; or (`error`) questions without one.
        """
        if name not in self.rewriters:
            raise ConfigError(
                expected=f"rewrites of {self.path}: {', '.join(self.rewriters) or 'it has none'}",
                got=repr(name),
                consequence="nothing was run",
                remedy=f"name one of those, or make them: rankdistill rewrite --name {name} --rewriter MODEL",
            )
        asked = self.asked(split)
        without = [one.turn_id for one in asked if name not in one.turn.rewrites]
        if without and missing == "error":
            raise DataError(
                expected=f"a rewrite {name!r} of each of {len(asked):,} questions",
                got=f"none of {len(without):,}, as of {', '.join(without[:5])}",
                consequence="nothing was run: these would be searched with other words, or not at all",
                remedy="make them (rankdistill rewrite), or choose what becomes of these questions: missing "
                "'question' takes their own words, 'drop' leaves them out",
            )
        kept = [one for one in asked if missing != "drop" or name in one.turn.rewrites]
        return {one.turn_id: one.turn.rewrites.get(name, (one.turn.text,))[0] for one in kept}

    def rewrites_hash(self, name: str, split: str | None = None) -> str:
        """SHA-256 (hex) of the first rewrites of that name, of the questions that have one; raises as `rewrites`."""
        return digest(self.rewrites(name, split, "drop"))

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return (
            f"Sessions({str(self.path)!r}: {len(self.sessions):,} sessions, {len(self.asked()):,} questions, splits "
            f"{', '.join(self.splits) or 'none'}, rewrites {', '.join(self.rewriters) or 'none'})"
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """Split (`unjudged`: of none) -> how many sessions and questions it has, and of these how many are judged, have
        a relevant document, and have a rewrite by name.
        """
        found = {}
        for split in [*self.splits, *([UNJUDGED] if any(one.split is None for one in self.sessions) else [])]:
            asked = self.asked(split)
            found[split] = {
                "sessions": sum((one.split or UNJUDGED) == split for one in self.sessions),
                "questions": len(asked),
                "judged": sum(bool(one.turn.gold) for one in asked),
                "relevant": len(self.asked(split, judged=True)),
                **{name: sum(name in one.turn.rewrites for one in asked) for name in self.rewriters},
            }
        return found

    def tables(self) -> list[Table]:
        """A split a row."""
        header = ["split", "sessions", "questions", "judged", "relevant", *self.rewriters]
        rows = [[split, *(f"{count:,}" for count in counts.values())] for split, counts in self.counts().items()]
        return [Table(f"{self.path}: {len(self.sessions):,} sessions", header, rows)]

    def to_polars(self) -> pl.DataFrame:
        """A question a row: session_id, turn_id, split, depth, topic_shift, question, judged, and its rewrites."""
        import polars as pl

        schema = {
            **dict.fromkeys(("session_id", "turn_id", "split"), pl.String),
            "depth": pl.Int64,
            "topic_shift": pl.Boolean,
            "question": pl.String,
            "judged": pl.Int64,
            **dict.fromkeys(self.rewriters, pl.String),
        }
        rows = [
            [
                *(one.session.session_id, one.turn_id, one.session.split, one.depth, one.topic_shift, one.turn.text),
                len(one.turn.gold),
                *(one.turn.rewrites.get(name, (None,))[0] for name in self.rewriters),
            ]
            for one in self.asked()
        ]
        return pl.DataFrame(rows, schema=schema, orient="row")

    def to_json(self) -> dict[str, Any]:
        """Folder, counts, and the sessions that were left out."""
        return {
            "path": str(self.path),
            "sessions": len(self.sessions),
            "questions": len(self.asked()),
            "splits": self.counts(),
            "documents": self.has_documents,
            "bad_rows": list(self.reports),
        }
