"""Conversations made into a folder of sessions: published files, or a collection whose queries are turns."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rankdistill import files, integrity, manifest
from rankdistill.data import converting, json_lines, lines
from rankdistill.data.bad_rows import BadRows, Mode
from rankdistill.data.beir import QUERIES
from rankdistill.data.converting import kinds
from rankdistill.data.converting.judgements import QrelsFile
from rankdistill.data.converting.queries import Queries
from rankdistill.data.converting.request import name_of_qrels
from rankdistill.data.converting.splitting import split_of
from rankdistill.data.converting.table import hash_of, hashes_of
from rankdistill.data.meta import FILE_NAME as META
from rankdistill.data.meta import Meta
from rankdistill.data.values import RowError
from rankdistill.data.writer import Judged, write_lines
from rankdistill.errors import DataError
from rankdistill.formats import conversation_files, conversations
from rankdistill.formats.conversation_files import Found, split_named
from rankdistill.formats.conversations import SESSION, Turn
from rankdistill.formats.gathering import gather
from rankdistill.making import making
from rankdistill.notes import tell
from rankdistill.progress import Reporter
from rankdistill.sessions import Sessions, reading, rewrites, writing
from rankdistill.sessions.schema import Session

ARTEFACT = "sessions"

MOST_REPORTS = 20
"""Entries left out that `meta.json` names."""

_LOOKED_AT = 100
"""Queries of a collection by which it is known whether they are turns of conversations."""

JUDGED, NAMED = "judged turns in", "turns in files named for"
"""What says the split of a conversation, in errors."""

Note = Callable[[str | None], None]


@dataclass(frozen=True)
class Request:
    """What is converted.

    Args:
        place: a file, or a folder.
        layout: a key of `rankdistill.formats.published_conversations.LAYOUTS`.
        qrels: (split, file) of judgements; None: the file decides nothing about splits.
        qrels_columns: of query, document and label, where they are not found by their names.
        dev: share of sessions for the split dev, where no file and no judgement says one.
        test: likewise.
        lenient: leave bad entries out, and tell of them.
    """

    place: Path
    layout: str
    qrels: Sequence[tuple[str | None, Path]] = ()
    qrels_columns: Sequence[str] = ()
    dev: float = 0.1
    test: float = 0.2
    lenient: bool = False


def holds_turns(folder: Path) -> bool:
    """Whether the queries of a collection are turns of conversations: rows with a `history`, or numbered ones.

    Raises:
        DataError: there is no way to read its queries.
    """
    path = lines.find(folder, QUERIES)
    if path is None:
        return False
    looked, numbered = 0, 0
    for _, line in islice(lines.numbered(path), _LOOKED_AT):
        try:
            row = json_lines.parse_object(line)
        except RowError:
            continue
        if isinstance(row.get("history"), list):
            return True
        looked += 1
        known = row.get("metadata")
        numbered += isinstance(known, dict) and {"turn", "answer"} <= known.keys()
    return 0 < looked == numbered


def of_collection(
    folder: Path, layout: str, dev: float, test: float, mode: Mode
) -> Callable[[Judged, BadRows, Note], Iterable[str]]:
    """What gives the rows of `sessions.jsonl` for a collection whose queries are turns.

    The sessions of a conversation are in the split that judges turns of one of them; where no conversation is judged at
    all, hashes decide.

    Args:
        folder: in BEIR layout.
        layout: what the sessions say that they come from.
        dev: share of sessions for the split dev, where nothing is judged.
        test: likewise.
        mode: of reading.
    """

    def rows(judged: Judged, bad: BadRows, note: Note) -> Iterable[str]:
        turns, _ = conversations.read(folder, mode)  # bad rows were reported when the queries were read
        gold: dict[str, dict[str, int]] = {}
        for labels_of in judged.values():
            for turn_id, one in labels_of.items():
                gold.setdefault(turn_id, {}).update(one)
        splits = defaultdict[str, set[str]](set)
        for split, labels in judged.items():
            for turn_id in labels:
                splits[turn_id].add(split)

        def split_for(conversation: Sequence[Session]) -> str | None:
            return _one_split(conversation, splits, JUDGED) if judged else _hashed(conversation, dev, test)

        source = {"from": layout, "collection": folder.resolve().name}
        sessions = gather(turns, gold, split_for, lambda turn: source, bad, apart=True)
        _tell(sessions, note)
        return map(writing.line, sessions)

    return rows


def convert(out: Path, request: Request, compress: bool, reporter: Reporter, command: str = "") -> bool:
    """Write published conversations as a folder of sessions; False if `out` holds exactly that already.

    Args:
        out: the folder.
        request: see `Request`.
        compress: write `.gz`.
        reporter: is told of the files.
        command: for the manifest.

    Raises:
        DataError: nothing is there, or (unless lenient) entries are bad.
        StaleOutputError, OutputError: `out` holds something else, or cannot be written to.
    """
    bad, notes = BadRows("lenient" if request.lenient else "strict"), list[str]()
    with reporter.stage("read", "files") as stage:
        found = conversation_files.find(request.place, request.layout, bad)
        stage(len(found.paths))
    qrels = [*request.qrels, *((split_named(path), path) for path in found.qrels)]
    root = request.place if request.place.is_dir() else request.place.parent
    inputs = {path.relative_to(root).as_posix(): hash_of([path]) for path in found.paths}
    inputs |= hashes_of((name_of_qrels(split), path) for split, path in request.qrels)
    parameters = {"source": request.place.resolve().name, "from": request.layout, "compress": compress}
    default = Request(request.place, request.layout)
    for name in ("dev", "test", "lenient", "qrels_columns"):
        if (value := getattr(request, name)) != getattr(default, name):
            parameters[name] = list(value) if isinstance(value, tuple | list) else value
    if found.own:
        parameters["ids"] = "with the split before"
    wanted = manifest.Manifest(ARTEFACT, inputs, parameters, manifest.versions_of(), command)
    if manifest.is_current(out, wanted):
        integrity.require_below(out)
        tell(f"{out} is up to date")
        return False

    def note(text: str | None) -> None:
        notes.extend([] if text is None else [text.replace(f"{root}/", "")])

    sessions = _sessions(found, qrels, request, bad, note)
    bad.finish(f"conversations in the layout {request.layout} in {request.place}")
    if not sessions:
        raise DataError(
            expected=f"conversations in {request.place}",
            got="; ".join(["none that can be used", *bad.reports[:1]]),
            consequence="nothing was written",
            remedy="repair the entries",
        )
    said: dict[str, Any] = {"from": request.layout, "sessions": len(sessions)}
    said["questions"] = sum(len(one.asked) for one in sessions)
    said |= {"left_out": bad.count, "reports": [one.replace(f"{root}/", "") for one in bad.reports[:MOST_REPORTS]]}
    with making(out, wanted, again=False) as made:
        if not made.current:
            path = out / (f"{writing.FILE_NAME}.gz" if compress else writing.FILE_NAME)
            writing.write(path, sessions)
            files.write_text(out / META, Meta(None, said | {"notes": notes}).text)
            made.wrote([path, out / META])
    return not made.current


def copy(out: Path, sessions: Sessions, reporter: Reporter, command: str = "") -> None:
    """Write sessions as they are into another folder, with the documents and the rewrites that lie beside them.

    Raises:
        StaleOutputError, OutputError: `out` holds something else, or cannot be written to.
    """
    source = reading.file_of(sessions.path)
    compress = source.suffix == ".gz"
    rows = [line.decode("utf-8").rstrip("\r\n") for _, line in lines.numbered(source) if line.strip()]
    besides = {"sessions": "copy", "content": sessions.fingerprint}
    if sessions.has_documents:
        request = converting.Request(sessions.path, kind=kinds.BEIR)
        converting.convert(out, request, compress, reporter, command, lambda *_: rows, besides)
    else:
        wanted = manifest.Manifest(ARTEFACT, {"sessions": sessions.fingerprint}, {"from": "copy"}, {}, command)
        with making(out, wanted, again=False) as made:
            if not made.current:
                path = out / (f"{writing.FILE_NAME}.gz" if compress else writing.FILE_NAME)
                write_lines(path, rows)
                made.wrote([path])
    for name in rewrites.finished(sessions.path):
        place = rewrites.folder_of(out, name)
        made_by = manifest.read(rewrites.folder_of(sessions.path, name))
        assert made_by is not None
        with making(place, made_by) as made:
            for file in [] if made.current else made_by.outputs:
                with files.atomic_path(place / file) as temporary:
                    shutil.copyfile(rewrites.folder_of(sessions.path, name) / file, temporary)


def _sessions(
    found: Found, qrels: Sequence[tuple[str | None, Path]], request: Request, bad: BadRows, note: Note
) -> list[Session]:
    if found.own:
        first = next(iter(found.own))
        plain, used = next(iter(found.own[first].items()))
        note(
            f"files of {', '.join(found.own)} use the same ids for other questions: all their ids have the split "
            f"before them, as {used!r} for {plain!r}. Runs, scores and rewrites that were made elsewhere need it too"
        )
    gold: dict[str, dict[str, int]] = {}
    splits = defaultdict[str, set[str]](set)
    for split, path in qrels:
        given = () if path in found.qrels else request.qrels_columns
        ids, queries = found.ids(split if split in found.own else split_named(path)), Queries()
        for name, used in ids.items():
            queries.keep(name, found.turns[used].utterance)
        labels, said = QrelsFile(path, split, given).read(queries, bad)
        note(None if path in found.qrels else said)
        for name, judged in labels.items():
            turn_id = ids[name]
            gold.setdefault(turn_id, {}).update(judged)
            if split is not None:
                splits[turn_id].add(split)
    hashed: set[str] = set()

    def split_for(conversation: Sequence[Session]) -> str | None:
        own = _one_split(conversation, splits, JUDGED) or _one_split(conversation, found.splits, NAMED)
        hashed.update(one.session_id for one in conversation if own is None)
        return own or _hashed(conversation, request.dev, request.test)

    def source(turn: Turn) -> Mapping[str, Any]:
        return {"from": request.layout, "file": found.files[turn.turn_id].name}

    sessions = gather(found.turns.values(), gold, split_for, source, bad, apart=request.layout == "beir")
    if count := sum(one.session_id in hashed for one in sessions):
        note(
            f"{count:,} sessions are in a split by a hash of their first question ({request.test:.0%} test, "
            f"{request.dev:.0%} dev): no file says one by its name, and no --qrels SPLIT=FILE judges them"
        )
    if found.left:
        note(f"left out {len(found.left):,} files without conversations of this layout")
    _tell(sessions, note)
    return sessions


def _one_split(conversation: Sequence[Session], splits: Mapping[str, Collection[str]], what: str) -> str | None:
    """The split of a conversation's turns, by all paths through it; RowError where they are in several.

    Args:
        conversation: its sessions.
        splits: turn_id -> its splits; of turns that say none, nothing.
        what: says the splits, in words.
    """
    asked = [one.turn_id for session in conversation for one in session.asked]
    own = sorted({split for turn_id in asked for split in splits.get(turn_id, ())})
    if len(own) > 1:
        raise RowError(
            f"conversation {conversation[0].session_id!r} has {what} {' and '.join(own)}: it must be in "
            f"one split, since what is learnt from one of its turns tells of the next. Where these turns are no one "
            f"conversation, name the conversation of each: {SESSION!r} in its `metadata`"
        )
    return own[0] if own else None


def _hashed(conversation: Sequence[Session], dev: float, test: float) -> str:
    return split_of(conversation[0].turns[0].text, dev, test)


def _tell(sessions: Sequence[Session], note: Note) -> None:
    names = {one.session_id for one in sessions}
    several = sum(one.session_id.rpartition("#")[0] in names for one in sessions)
    if several > 0:
        note(
            f"{several:,} sessions more than conversations: where the history of a turn does not go on from the turns "
            "before, as in paths through a tree, a session has one of the histories"
        )
