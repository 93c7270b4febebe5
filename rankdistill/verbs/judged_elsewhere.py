"""What other splits judge of conversations, in all words that it is asked in: texts that no student may train on."""

from __future__ import annotations

from collections.abc import Mapping

from rankdistill.data import Dataset
from rankdistill.sessions import Sessions
from rankdistill.stores.embeddings.identity import alike_hash


def judged_elsewhere(sessions: Sessions, documents: Dataset, split: str, joined: Mapping[str, str]) -> frozenset[bytes]:
    """`alike_hash` of every text by which `evaluate` may ask a question that other splits alone judge.

    These are the question as it was asked, the conversation up to it, and each of its rewrites, whoever wrote it.

    Args:
        sessions: the conversations.
        documents: their collection, which says what is judged.
        split: that is trained on.
        joined: turn_id -> the conversation up to it, as the student reads it.
    """
    judged = {query for other in documents.splits if other != split for query in documents.qrels(other)}
    if split in documents.splits:
        judged -= documents.qrels(split).keys()
    texts = {documents.query_texts[query] for query in judged if query in documents.query_texts}
    for one in sessions.asked():
        if one.turn_id in judged:
            texts |= {one.turn.text, joined[one.turn_id]}
            texts.update(rewrite for several in one.turn.rewrites.values() for rewrite in several)
    return frozenset(map(alike_hash, texts))
