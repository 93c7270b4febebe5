"""Published conversations at a path, a file or a folder of files, with the rewrites and judgements that lie there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rankdistill import locations
from rankdistill.data import json_lines, lines
from rankdistill.data.bad_rows import BadRows
from rankdistill.data.values import RowError
from rankdistill.errors import DataError
from rankdistill.formats import conversations, published_conversations
from rankdistill.formats.conversations import SESSION, Turn
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
        own: split -> turn_id as its files have it -> the one that is used, where the split was put before.
        qrels: files of judgements; of MTRAG, where they lie beside the questions.
        paths: everything that was read.
        left: files that hold something else.
    """

    turns: dict[str, Turn] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    splits: dict[str, set[str]] = field(default_factory=dict)
    own: dict[str, dict[str, str]] = field(default_factory=dict)
    qrels: list[Path] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    left: list[Path] = field(default_factory=list)

    def ids(self, split: str | None) -> dict[str, str]:
        """turn_id as a file of that split has it -> the one that is used here; the latter stand for themselves too.

        Args:
            split: that the file is of, or that its name says; None: neither is known.
        """
        return dict(zip(self.turns, self.turns, strict=True)) | self.own.get(split or "", {})


@dataclass(frozen=True)
class _File:
    """The turns of a file; `known`: the same questions as another's, with less around them."""

    path: Path
    turns: Sequence[Turn]
    known: bool = False

    @property
    def split(self) -> str | None:
        return split_named(self.path)


def split_named(path: Path) -> str | None:
    """The split that a file's name says, as `dev` of `topiocqa_dev.json`; None where it says none, or two."""
    words = re.split(r"[^a-z]+", path.name.lower())
    found = {_SPLITS[word] for word in words if word in _SPLITS}
    return found.pop() if len(found) == 1 else None


def find(place: Path, layout: str, bad: BadRows) -> Found:
    """Read everything at `place` that belongs to the layout.

    Where files of different splits number their conversations anew, so that an id is another question in each, the
    split is put before the ids of all files whose name says one: `dev_1_1`.

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
    read = list[_File]()
    for path in [one for one in usable if one not in beside]:
        if layout == "mtrag" and path != place and not _holds_tasks(path):
            found.left.append(path)
            continue
        read.append(_File(path, _turns(path, layout, bad)))
    read += [_File(path, _turns(path, layout, bad), known=True) for path in beside if "_questions." in path.name]
    if _number_anew(read):
        read = [_by_split(found, one) for one in read]
    for one in read:
        _take(found, one, bad)
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


def _turns(path: Path, layout: str, bad: BadRows) -> list[Turn]:
    if layout == OWN:
        turns, reports = conversations.read(path, "lenient")
    else:
        turns, reports = published_conversations.read(path, layout, "lenient")
    for report in reports:
        bad.take(report)
    return turns


def _number_anew(read: Sequence[_File]) -> bool:
    """Whether most ids that stand in files named for different splits are another question in each.

    TopiOCQA and QReCC count the conversations of each file from 1. An id that says the same in both is one conversation
    in two splits, and that is no matter of numbers.
    """
    held: dict[str, dict[str, Turn]] = {}
    alike = Counter[bool]()
    for file in read:
        if file.split is None or file.known:
            continue
        for turn in file.turns:
            splits = held.setdefault(turn.turn_id, {})
            alike.update(_alike(other, turn) for split, other in splits.items() if split != file.split)
            splits.setdefault(file.split, turn)
    return alike[False] > alike[True]


def _alike(one: Turn, other: Turn) -> bool:
    return (one.utterance, one.history) == (other.utterance, other.history)


def _by_split(found: Found, file: _File) -> _File:
    """The file with its split before the ids of turns and conversations, which `found.own` tells."""
    split = file.split
    if split is None:
        return file
    own = found.own.setdefault(split, {})
    turns = list[Turn]()
    for turn in file.turns:
        own[turn.turn_id] = f"{split}_{turn.turn_id}"
        metadata = dict(turn.metadata)
        if isinstance(named := metadata.get(SESSION), str | int) and str(named).strip():
            metadata[SESSION] = f"{split}_{named}"
        turns.append(replace(turn, turn_id=own[turn.turn_id], metadata=metadata))
    return replace(file, turns=turns)


def _take(found: Found, file: _File, bad: BadRows) -> None:
    """The turns of one file; those that are there with the same words give what they know besides.

    Where the file's are `known`, those that are there stay as they are.
    """
    found.paths.append(file.path)
    for turn in file.turns:
        if file.split is not None:
            found.splits.setdefault(turn.turn_id, set()).add(file.split)
        before = found.turns.get(turn.turn_id)
        if before is None:
            found.turns[turn.turn_id], found.files[turn.turn_id] = turn, file.path
        elif not file.known and _alike(before, turn):
            rewrites = {**turn.rewrites, **before.rewrites}
            found.turns[turn.turn_id] = replace(
                before,
                rewrites=rewrites,
                metadata={**turn.metadata, **before.metadata},
                gold={**turn.gold, **before.gold},
            )
        elif not file.known:
            bad.take(
                f"{file.path}: turn {turn.turn_id!r} has other words, or another history, than in "
                f"{found.files[turn.turn_id]}; give one of the files"
            )


def _rewritten(found: Found, path: Path, name: str, rewrites: Mapping[str, str]) -> None:
    found.paths.append(path)
    ids = found.ids(split_named(path))
    for given, rewrite in rewrites.items():
        if (turn_id := ids.get(given)) is not None:
            turn = found.turns[turn_id]
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
