"""What the system that `evaluate` measures reads of a question: as its model was trained to, or turns that are sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.evaluation.turns import Turns
from rankdistill.indexing.searching import opened
from rankdistill.inference import conversation
from rankdistill.notes import note
from rankdistill.sessions import Sessions
from rankdistill.sessions.collection import Missing
from rankdistill.verbs.engine_systems import Asked, searching_model
from rankdistill.verbs.systems import Parts
from rankdistill.verbs.turns import READS, REWRITE, conversation_of, questions_of

SENT = "turns, joined by the served model"
"""What a server reads that is sent the turns themselves."""

PLAIN = "joined by spaces, not cut"
"""How several turns become the text that a server or a service is sent: its tokeniser is not known here."""

ANSWERED = "nothing: a run, which was answered before"


def questions_for(
    parts: Parts,
    sessions: Sessions,
    documents: Dataset,
    split: str,
    reads: str | None,
    *,
    engine: Asked | None = None,
    server: bool = False,
    service: bool = False,
    reranked: bool = False,
    api_key_env: str | None = None,
    limit: int | None = None,
    missing: Missing = "error",
) -> tuple[Dataset, Turns, dict[str, list[str]] | None]:
    """The questions as the system reads them, what is known of them, and the turns to be sent instead of their texts.

    The last are None but for a server without `reads`: it joins turns as its own model was trained to.

    Args:
        parts: the models and indexes here.
        sessions: the conversations.
        documents: their collection.
        split: whose judged questions.
        reads: a format or a rewrite; None: as the query model was trained, else the last turn.
        engine: what answers is a collection of a search engine.
        server: what answers is a running server.
        service: what encodes is a service elsewhere.
        reranked: whether a teacher reads the texts too.
        api_key_env: of the engine.
        limit: tokens of a query at most.
        missing: see `questions_of`.

    Raises:
        ConfigError: nothing says what is read: a service, or a server whose answer is re-ranked, without `reads`; or
            indexes of models that were trained to read conversations in several ways.
        RankdistillError: see `questions_of`.
    """
    if reads is None and (service or (server and reranked)):
        raise ConfigError(
            expected=f"what is read of a question (--reads): {READS}",
            got="a service, which does not say how its model reads conversations"
            if service
            else "none, for a re-ranker behind a server",
            consequence="nothing was evaluated: it might take the last turn for the question",
            remedy="name it, as --reads last_turn",
        )
    if reads is None and server:
        dataset, turns = questions_of(sessions, documents, split, "newest_first", None, missing=missing)
        said = {one.turn_id: one.said for one in sessions.asked() if one.turn_id in dataset.query_texts}
        return dataset, replace(turns, reads=SENT), said
    by_text = server or service or (reads is not None and reads.startswith(REWRITE))
    model = None if by_text else reading_model(parts, reads, engine, api_key_env)
    dataset, turns = questions_of(sessions, documents, split, reads, model, limit=limit, missing=missing)
    if by_text and reads is not None and _joins(reads):
        note(
            f"what is sent is {reads}, {PLAIN}: the service's tokeniser is not known here. A model that was trained to "
            "read conversations knows another separator, and its service may cut long ones"
            + ("; without --reads the turns themselves are sent" if server else "")
        )
        turns = replace(turns, reads=f"{reads}, {PLAIN}")
    if parts.run is not None and reads is None and not reranked:
        turns = replace(turns, reads=ANSWERED)
    return dataset, turns, None


def _joins(reads: str) -> bool:
    """Whether a format has texts of more than one turn."""
    return not reads.startswith(REWRITE) and conversation.named(reads).last != 1


def reading_model(
    parts: Parts, reads: str | None = None, engine: Asked | None = None, api_key_env: str | None = None
) -> str | None:
    """The model whose format is read, and whose tokeniser counts; None: BM25, or a run.

    Raises:
        ConfigError: several indexes whose models read conversations in several ways, without `reads`.
        RankdistillError: see `searching_model`.
    """
    if parts.words or parts.run is not None:
        return None
    if engine is not None:
        return searching_model(engine, parts.query_model, api_key_env)
    if parts.query_model is not None:
        return parts.query_model
    models = [model for one in parts.indexes if (model := opened(one).model) is not None]
    if reads is None:
        _require_one_format({model: conversation_of(model) for model in models})
    return models[0] if models else None


def _require_one_format(formats: Mapping[str, conversation.Conversation | None]) -> None:
    if len(set(formats.values())) > 1:
        said = [f"{model}: {'none' if one is None else conversation.name_of(one)}" for model, one in formats.items()]
        raise ConfigError(
            expected="models of all indexes that read conversations alike, or what they read (--reads)",
            got="; ".join(said),
            consequence="nothing was evaluated: one of them would read conversations as it never learnt to",
            remedy=f"give one of {READS}",
        )
