"""How `train` makes a student of conversations from scores that are there already: of runs, or of other programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import fspath

import polars as pl

from rankdistill.data import Dataset
from rankdistill.data.beir import UNJUDGED
from rankdistill.ensembles.source import Ensemble
from rankdistill.errors import ConfigError, DataError
from rankdistill.inference.turn_reader import TurnReader, open_reader
from rankdistill.notes import note
from rankdistill.progress import ProgressLike
from rankdistill.sessions import Sessions
from rankdistill.stores.embeddings.identity import alike_hash
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.stores.reader import ScoreStore
from rankdistill.training.config import TrainConfig
from rankdistill.verbs.judged_elsewhere import judged_elsewhere
from rankdistill.verbs.training_on_sessions import FORMAT, note_cut, tell_held_out
from rankdistill.verbs.turns import joined, judgements_of, note_judged, training_split


@dataclass(frozen=True)
class Conversing:
    """A store's questions as conversations.

    Args:
        dataset: the documents, each conversation as its query, and what is judged.
        texts: turn_id -> conversation, of the questions that may be trained on.
        reader: how the student reads them.
        split: whose questions these are.
    """

    dataset: Dataset
    texts: Mapping[str, str]
    reader: TurnReader
    split: str

    def store(self, store: ScoreStore) -> ScoreStore:
        """The same scores, whose queries are the conversations."""
        return ScoreStore(store.path, self.dataset, self.texts)


def require_scores(store: ScoreStore | Ensemble | EmbeddingStore) -> ScoreStore | Ensemble:
    """The store; ConfigError where it holds vectors, which are of texts and not of queries."""
    if not isinstance(store, EmbeddingStore):
        return store
    raise ConfigError(
        expected="a store of scores, beside sessions",
        got=f"{fspath(store)}, a store of vectors",
        consequence="nothing was trained",
        remedy="give a teacher and rewrites instead of the store, whose vectors of rewrites the student learns "
        "(train --sessions --loss leaf)",
    )


def prepare(
    sessions: Sessions,
    documents: Dataset,
    store: ScoreStore | Ensemble,
    student: str,
    config: TrainConfig,
    *,
    split: str | None,
    dev_split: str | None,
    reads: str | None,
    progress: ProgressLike = False,
) -> Conversing:
    """The questions of a store as the student reads them; what says the same as another split's is left out.

    Raises:
        ConfigError: no such format, or no conversation is left.
        DataError: no such split, or none of the store's queries is a question of the sessions.
    """
    reader = open_reader(student, reads or FORMAT, config.max_query_length)
    chosen = training_split(sessions, split)
    every = sessions.asked()
    texts = joined(every, reader, progress)
    note_cut(every, reader, student, texts)
    scored = _queries(store)
    of_split = [one.turn_id for one in sessions.asked(chosen) if one.turn_id in scored]
    _require_some(sessions, scored, texts, of_split, chosen)
    elsewhere = judged_elsewhere(sessions, documents, chosen, texts)
    kept = {turn for turn in of_split if alike_hash(texts[turn]) not in elsewhere}
    tell_held_out(len(of_split), len(kept), chosen, "scores")
    judged = judgements_of(sessions, documents, chosen, kept)
    if chosen == UNJUDGED:
        known = kept | {query for labels in judged.values() for query in labels}
        texts = {turn: text for turn, text in texts.items() if turn in known}
    dataset = documents.asking(texts, judged)
    for one in dict.fromkeys((chosen, dev_split)):
        if one is not None and one in dataset.splits:
            note_judged(dataset, one)
    return Conversing(dataset, {turn: texts[turn] for turn in of_split if turn in kept}, reader, chosen)


def fitted(config: TrainConfig) -> TrainConfig:
    """The settings with what follows of the student reading queries alone, beside a document tower: its length is
    theirs.
    """
    if config.document_tower is None or config.max_document_length is not None:
        return config
    given = config.model_dump(exclude_unset=True) | {"max_document_length": config.max_query_length}
    return TrainConfig.model_validate(given)


def _queries(store: ScoreStore | Ensemble) -> set[str]:
    """The ids of the store's queries."""
    held = store.store if isinstance(store, Ensemble) else store
    found = held.scan_candidates().select(pl.col("query_id").unique()).collect(engine="streaming")
    return set(found["query_id"])


def _require_some(
    sessions: Sessions, scored: set[str], texts: Mapping[str, str], of_split: list[str], split: str
) -> None:
    """Note what has no scores, or no session; DataError where none has both."""
    asked = len(sessions.asked(split))
    if not of_split:
        raise DataError(
            expected=f"scores of questions of {split!r} in {fspath(sessions)}",
            got=f"a store of {len(scored):,} queries, as {', '.join(sorted(scored)[:3])}; the questions are called "
            f"{', '.join(one.turn_id for one in sessions.asked(split)[:3]) or 'nothing: there are none'}",
            consequence="nothing was trained",
            remedy="give the sessions whose questions were scored, under the same ids (in sessions of files that "
            "number anew, the split stands before them), or name another split",
        )
    if strange := len(scored - texts.keys()):
        note(f"{strange:,} of {len(scored):,} queries of the store stand in no session, and are left out")
    if len(of_split) < asked:
        note(f"{asked - len(of_split):,} of {asked:,} questions of {split!r} have no scores, and are left out")
