"""Sessions as verbs take them: opened, with their documents, and the text that a system reads of each question."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from rankdistill import bundles, plain_json
from rankdistill.bundles import layout
from rankdistill.data import Dataset
from rankdistill.data.beir import UNJUDGED
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation.turns import Turns
from rankdistill.inference import conversation
from rankdistill.inference.conversation import FORMATS, Conversation
from rankdistill.inference.turn_reader import TurnReader, open_reader
from rankdistill.manifest import digest
from rankdistill.models import resolve
from rankdistill.notes import note
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.sessions import Asked, Session, Sessions, Turn
from rankdistill.sessions.collection import Missing
from rankdistill.sessions.schema import SYSTEM, USER
from rankdistill.verbs.arguments import Data, Place, collection_of, note_split, place_of

ROLES = {"user": USER, "system": SYSTEM, "assistant": SYSTEM}
"""Who speaks, in a file of one conversation; chat interfaces say `assistant`."""

REWRITE = "rewrite:"
"""Before the name of rewrites, where a rewrite is read in place of the conversation."""

READS = f"{', '.join(FORMATS)} (also FORMAT:K, the last K of the user's turns), or {REWRITE}NAME"


def documents_of(sessions: Sessions, data: Data | None, lenient: bool, ignore_identical_ids: bool | None) -> Dataset:
    """The collection of the documents that are searched: the sessions' own folder, unless `data` names another.

    Its queries are the questions as they were asked. What is judged is what the sessions' folder judges; with `data`,
    and where the folder has documents but no judgements of its own, what the sessions say.

    Raises:
        ConfigError: there are no documents.
    """
    if data is None and not sessions.has_documents:
        raise ConfigError(
            expected="the documents that the conversations ask for",
            got=f"{os.fspath(sessions)}, which has no corpus.jsonl",
            consequence="nothing was run",
            remedy="give their collection as data (--data DIR)",
        )
    if data is None:
        return collection_of(os.fspath(sessions), (), lenient, ignore_identical_ids)
    documents = collection_of(data, (), lenient, ignore_identical_ids)
    return documents.asking(sessions.questions(), {split: sessions.qrels(split) for split in sessions.splits})


def texts_of(
    asked: Sequence[Asked],
    reads: str | None,
    model: str | None,
    *,
    limit: int | None = None,
    missing: Missing = "error",
) -> tuple[dict[str, str], str]:
    """turn_id -> what a system reads of it, and the name of the format or rewrite; see `questions_of`."""
    if reads is not None and reads.startswith(REWRITE):
        return _rewritten(asked, reads.removeprefix(REWRITE), missing), reads
    reader = reader_of(model, reads, limit)
    texts = joined(asked, reader)
    if cut := count_cut(asked, reader, texts):
        by_turns = reader.conversation.cut == "turns"
        note(
            f"{cut:,} of {len(asked):,} conversations are longer than the {reader.most} tokens that {model} reads: "
            + ("their oldest turns are left out, and the end of such questions" if by_turns else "the end is not read")
        )
    return texts, reads or conversation.name_of(reader.conversation)


def joined(asked: Sequence[Asked], reader: TurnReader, progress: ProgressLike = False) -> dict[str, str]:
    """turn_id -> the conversation up to it, as a model reads it; long ones have their tokens counted several times."""
    found = {}
    with reporter_of(progress).stage("reading", "conversations", len(asked)) as stage:
        for one in asked:
            found[one.turn_id] = reader.join(one.said)
            stage(1)
    return found


def count_cut(asked: Sequence[Asked], reader: TurnReader, texts: Mapping[str, str]) -> int:
    """How many conversations are longer than the model reads; `texts` are what `joined` gave."""
    return sum(reader.is_cut(one.said, texts[one.turn_id]) for one in asked)


def conversation_of(model: str) -> Conversation | None:
    """How a model, or the query model of a bundle, was trained to read conversations; None where it was not."""
    return conversation.read(resolve(_inside(model)).path)


def _inside(model: str) -> str:
    return os.path.join(model, layout.QUERY) if bundles.is_bundle(model) else model


def _rewritten(asked: Sequence[Asked], name: str, missing: Missing) -> dict[str, str]:
    without = [one.turn_id for one in asked if name not in one.turn.rewrites]
    if len(without) == len(asked):
        known = sorted({name for one in asked for name in one.turn.rewrites})
        raise ConfigError(
            expected=f"rewrites of these questions: {', '.join(known) or 'they have none'}",
            got=repr(name),
            consequence="nothing was evaluated",
            remedy=f"name one of those, or make them: rankdistill rewrite --name {name} --rewriter MODEL",
        )
    if without and missing == "error":
        raise DataError(
            expected=f"a rewrite {name!r} of each of {len(asked):,} questions",
            got=f"none of {len(without):,}, as of {', '.join(without[:5])}",
            consequence="nothing was evaluated",
            remedy="make them (rankdistill rewrite), or say what becomes of these questions: --missing-rewrites "
            "question takes their own words, drop leaves them out",
        )
    kept = [one for one in asked if missing != "drop" or name in one.turn.rewrites]
    return {one.turn_id: one.turn.rewrites.get(name, (one.turn.text,))[0] for one in kept}


def reader_of(model: str | None, reads: str | None, limit: int | None = None, known: bool = False) -> TurnReader:
    """What joins turns for a model; see `open_reader`. Without a model nothing is cut.

    Args:
        model: a model reference, or a bundle.
        reads: name of a format.
        limit: tokens of a query at most.
        known: whether the model must say itself how it reads conversations.

    Raises:
        ConfigError: it does not, and must.
    """
    if model is None:
        return TurnReader(conversation.named(reads or "last_turn", separator=" "))
    if known and conversation_of(model) is None:
        raise ConfigError(
            expected="a model that was trained to read conversations, for a session",
            got=f"{model}, which has no {conversation.FILE_NAME}",
            consequence="nothing was searched: it would take the last answer for the question",
            remedy="train one (rankdistill train --sessions), or search for the question, rewritten to say all",
        )
    return open_reader(_inside(model), reads, limit)


def turns_of(session: Place | Sequence[str] | Sequence[Turn | Mapping[str, str]]) -> list[str]:
    """Question, answer, question, ..., of a conversation as `rankdistill.search` takes it.

    Args:
        session: a file; or texts, oldest first; or turns, also as `{"role": ..., "text": ...}`.

    Raises:
        ConfigError: it ends with an answer, or holds something else, or texts among turns.
        DataError: the file is no such conversation.
    """
    if isinstance(session, str | os.PathLike):
        return _read_turns(place_of(session))
    given = list(session)
    if all(isinstance(one, str) for one in given):
        return [one for one in given if isinstance(one, str)]
    return _said(tuple(map(_turn, given)), "the session")


def _turn(given: object) -> Turn:
    if isinstance(given, Turn):
        return given
    if isinstance(given, dict) and _is_turn(given):
        return Turn(ROLES[given["role"]], given["text"])
    raise ConfigError(
        expected=f"a conversation of texts alone, or of turns alone: Turn, or a role ({', '.join(ROLES)}) and a text",
        got=f"{given!r:.80} in the session",
        consequence="nothing was searched: it would be left out of what was said",
        remedy="give all that was said in one of these forms, oldest first",
    )


def _read_turns(path: Path) -> list[str]:
    shape = "a list of texts, of {role, text}, or one session {turns: [{role, text}, ...]}"
    try:
        content: Any = plain_json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise _no_session(shape, f"{path}: {error}") from error
    held = content.get("turns") if isinstance(content, dict) else content
    found: list[Any] = held if isinstance(held, list) else []
    if found and all(isinstance(one, str) for one in found):
        return found
    if not found or not all(_is_turn(one) for one in found):
        raise _no_session(shape, f"{path}, which holds something else")
    return _said(tuple(map(_turn, found)), str(path))


def _is_turn(value: object) -> bool:
    return isinstance(value, dict) and value.get("role") in ROLES and isinstance(value.get("text"), str)


def _said(turns: tuple[Turn, ...], where: str) -> list[str]:
    if not turns or turns[-1].role != USER:
        raise ConfigError(
            expected="a conversation that ends with the question to be answered",
            got=f"{where}: " + ("nothing" if not turns else "the last turn is an answer"),
            consequence="nothing was searched",
            remedy="give the turns up to the user's question",
        )
    return Asked(Session("session", turns), len(turns) - 1).said


def _no_session(expected: str, got: str) -> DataError:
    return DataError(
        expected=f"a JSON file with a conversation: {expected}",
        got=got,
        consequence="nothing was searched",
        remedy="write the conversation so; the last turn is the question",
    )


def questions_of(
    sessions: Sessions,
    documents: Dataset,
    split: str,
    reads: str | None,
    model: str | None,
    *,
    limit: int | None = None,
    missing: Missing = "error",
) -> tuple[Dataset, Turns]:
    """The collection whose queries are what a system reads of each question, and what is known of these.

    Its fingerprint does not depend on what is read: systems that read other words of the same questions are compared.

    Args:
        sessions: the sessions.
        documents: their collection.
        split: whose judged questions.
        reads: `rewrite:NAME`, or a format; None: what lies beside the model, or the last turn alone.
        model: a model reference, whose tokeniser counts; None: a system that counts none, as BM25.
        limit: tokens of a query at most; None: the model's own.
        missing: what becomes of a question without the rewrite.

    Raises:
        ConfigError: no such rewrites, no such format.
        DataError: no such split, questions without the rewrite, or no judged document in the collection.
    """
    judged = documents.qrels(split)
    known = [one for one in sessions.asked() if one.turn_id in judged]
    if absent := len(judged) - len(known):
        note(f"{absent:,} judged queries of {split!r} stand in no session, and are left out")
    texts, said = texts_of(known, reads, model, limit=limit, missing=missing)
    asked = [one for one in known if one.turn_id in texts]
    if len(asked) < len(known):
        note(f"{len(known) - len(asked):,} of {len(known):,} questions of {split!r} have no such rewrite: left out")
    dataset = documents.asking(texts, called=f"sessions {sessions.fingerprint}")
    note_judged(dataset, split)
    without = sum(all(label <= 0 for label in judged[one.turn_id].values()) for one in asked)
    if without:
        note(f"{without:,} of {len(asked):,} judged questions of {split!r} have no relevant document: each counts as 0")
    return dataset, Turns(
        reads=said,
        texts=digest(texts),
        depths={one.turn_id: one.depth for one in asked},
        shifts={one.turn_id: one.topic_shift for one in asked if one.topic_shift is not None},
        trained=reads is None and model is not None and conversation_of(model) is not None,
    )


def note_judged(dataset: Dataset, split: str) -> None:
    """Notes on what to know of a split's judgements, see `note_split`.

    Raises:
        DataError: the collection lacks every judged document, so it is of other conversations.
    """
    judged = {doc_id for labels in dataset.qrels(split).values() for doc_id in labels} if split != UNJUDGED else set()
    if judged and all(doc_id not in dataset.document_lines for doc_id in judged):
        raise DataError(
            expected=f"the documents that are judged in {split!r} in {os.fspath(dataset)}",
            got=f"none of {len(judged):,}, as {', '.join(sorted(judged)[:3])}",
            consequence="nothing was run: nothing that is looked for could be found",
            remedy="give the collection that the conversations ask for (--data DIR), with the ids of its documents",
        )
    note_split(dataset, split)


def training_split(sessions: Sessions, split: str | None) -> str:
    """Whose questions are trained on: `train`, or those of no split where there is none."""
    if split is not None:
        return split
    return "train" if "train" in sessions.splits or sessions.splits else UNJUDGED


def judgements_of(
    sessions: Sessions, documents: Dataset, split: str, kept: Collection[str]
) -> dict[str, dict[str, dict[str, int]]]:
    """Split -> query_id -> doc_id -> label, of `split` those of the questions in `kept` alone.

    The judgements may be of other questions than the split's sessions have; a note says how many are left out.
    """
    found = {name: documents.qrels(name) for name in documents.splits}
    if split not in found:
        return found
    own = {one.turn_id for one in sessions.asked(split)}
    strange = found[split].keys() - own
    if elsewhere := len(strange & {one.turn_id for one in sessions.asked()}):
        note(f"{elsewhere:,} judged queries of {split!r} stand in sessions of another split, and are left out")
    if nowhere := len(strange) - elsewhere:
        note(f"{nowhere:,} judged queries of {split!r} stand in no session, and are left out")
    found[split] = {query: labels for query, labels in found[split].items() if query in kept}
    return found


def rewrites_of(sessions: Sessions, names: list[str], split: str, missing: Missing) -> Mapping[str, Mapping[str, str]]:
    """Name -> turn_id -> rewrite, of the questions of `split` that have one of every name."""
    found = {name: sessions.rewrites(name, split, missing) for name in names}
    every = [turn for turn in next(iter(found.values())) if all(turn in one for one in found.values())]
    asked = len(sessions.asked(split))
    if len(every) < asked:
        note(f"{asked - len(every):,} of {asked:,} questions of {split!r} have no rewrite, and are left out")
    return {name: {turn: one[turn] for turn in every} for name, one in found.items()}
