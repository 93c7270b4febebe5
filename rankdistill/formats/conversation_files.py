"""Published conversations at a path, a file or a folder of files, with the rewrites and judgements that lie there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rankdistill import locations
from rankdistill.data import json_lines, lines
from rankdistill.data.bad_rows import BadRows
from rankdistill.data.values import RowError
from rankdistill.errors import DataError
from rankdistill.formats import conversations, published_conversations
from rankdistill.formats.conversations import Turn
from rankdistill.formats.published_conversations import AUTOMATIC, HUMAN, LAYOUTS
from rankdistill.sessions import stored_rewrites

OWN = "beir"
"""Rows as those of a BEIR `queries.jsonl` whose queries are turns, see `rankdistill.formats.conversations`."""

ENDINGS = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
"""Of files with conversations."""

_SPLITS = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
    "eval": "test",
    "evaluation": "test",
}
"""Words of a file's name -> the split that it holds; what a track evaluates on is the test split."""

_BESIDE = re.compile(r"_(rewrite|lastturn|questions)\.jsonl(\.gz)?$")
"""Files of MTRAG's retrieval tasks."""

_RESOLVED = re.compile(r"resolved[^/]*\.tsv$")


@dataclass
class Found:
    """What lies at a path.

    Args:
        turns: turn_id -> turn, in the order of the files.
        files: turn_id -> where it stands first.
        splits: turn_id -> the splits that the names of all its files say.
        qrels: files of judgements; of MTRAG, where they lie beside the questions.
        paths: everything that was read.
        left: files that hold something else.
    """

    turns: dict[str, Turn] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    splits: dict[str, set[str]] = field(default_factory=dict)
    qrels: list[Path] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    left: list[Path] = field(default_factory=list)


def split_named(path: Path) -> str | None:
    """The split that a file's name says, as `dev` of `topiocqa_dev.json`; None where it says none, or two."""
    words = re.split(r"[^a-z]+", path.name.lower())
    found = {_SPLITS[word] for word in words if word in _SPLITS}
    return found.pop() if len(found) == 1 else None


def find(place: Path, layout: str, bad: BadRows) -> Found:
    """Read everything at `place` that belongs to the layout.

    Args:
        place: a file, or a folder with files in it and below.
        layout: a key of `published_conversations.LAYOUTS`, or `OWN`.
        bad: takes entries that cannot be used.

    Raises:
        DataError: nothing is there, or a file cannot be read.
    """
    found = Found()
    paths = [place] if place.is_file() else locations.all_files(place)
    usable = [path for path in paths if path.name.endswith(ENDINGS) and not path.name.startswith(".")]
    beside = [path for path in usable if layout == "mtrag" and _BESIDE.search(path.name) and path != place]
    for path in [one for one in usable if one not in beside]:
        if layout == "mtrag" and path != place and not _holds_tasks(path):
            found.left.append(path)
            continue
        _take(found, path, layout, bad)
    for path in beside:
        if "_questions." in path.name:
            _take(found, path, layout, bad, known=True)
    for path in beside:
        if "_rewrite." in path.name:
            _rewritten(found, path, AUTOMATIC, _stored(path, bad))
    if layout == "cast" and place.is_dir():
        for path in [one for one in paths if _RESOLVED.search(one.name)]:  # of CAsT 2019
            _rewritten(found, path, HUMAN, _stored(path, bad))
    if layout == "mtrag" and place.is_dir():
        found.qrels = [path for path in paths if path.parent.name == "qrels" and path.suffix == ".tsv"]
        found.paths += found.qrels
    if not found.turns:
        bad.finish(f"conversations in the layout {layout} in {place}")
        raise _nothing(place, layout, bad, bool(usable))
    return found


def _take(found: Found, path: Path, layout: str, bad: BadRows, known: bool = False) -> None:
    """The turns of one file; those that are there with the same words give what they know besides.

    `known` leaves those that are there as they are: the same questions, with less around them.
    """
    if layout == OWN:
        turns, reports = conversations.read(path, "lenient")
    else:
        turns, reports = published_conversations.read(path, layout, "lenient")
    for report in reports:
        bad.take(report)
    found.paths.append(path)
    named = split_named(path)
    for turn in turns:
        if named is not None:
            found.splits.setdefault(turn.turn_id, set()).add(named)
        before = found.turns.get(turn.turn_id)
        if before is None:
            found.turns[turn.turn_id], found.files[turn.turn_id] = turn, path
        elif not known and (before.utterance, before.history) == (turn.utterance, turn.history):
            rewrites = {**turn.rewrites, **before.rewrites}
            found.turns[turn.turn_id] = replace(
                before,
                rewrites=rewrites,
                metadata={**turn.metadata, **before.metadata},
                gold={**turn.gold, **before.gold},
            )
        elif not known:
            bad.take(
                f"{path}: turn {turn.turn_id!r} has other words, or another history, than in "
                f"{found.files[turn.turn_id]}; give one of the files"
            )


def _rewritten(found: Found, path: Path, name: str, rewrites: Mapping[str, str]) -> None:
    found.paths.append(path)
    for turn_id, rewrite in rewrites.items():
        if (turn := found.turns.get(turn_id)) is not None:
            found.turns[turn_id] = replace(turn, rewrites={**turn.rewrites, name: (rewrite,)})


def _holds_tasks(path: Path) -> bool:
    """Whether the first row is a task, or one of ours: MTRAG's folders hold evaluations and passages too."""
    for _, line in lines.numbered(path):
        if line.strip():
            try:
                row = json_lines.parse(line)
            except RowError:
                return False
            return isinstance(row, dict) and ({"task_id", "input"} <= row.keys() or {"_id", "history"} <= row.keys())
    return False


def _stored(path: Path, bad: BadRows) -> dict[str, str]:
    """turn_id -> rewrite, of a file that lies beside the conversations."""
    rewrites, reports = stored_rewrites.read(path, "lenient")
    for report in reports:
        bad.take(report)
    return rewrites


def _nothing(place: Path, layout: str, bad: BadRows, usable: bool) -> DataError:
    state = "nothing is there" if not place.exists() else "no such file in it" if not usable else "no turn in it"
    return DataError(
        expected=f"conversations in the layout {layout}: a file ({', '.join(ENDINGS)}), or a folder with some",
        got=f"{place}: {'; '.join([state, *bad.reports[:1]])}",
        consequence="nothing was written",
        remedy=f"check the path, and that --from is what the file is: {', '.join(LAYOUTS)}, or beir for a folder in "
        "BEIR layout whose queries have a history",
    )
