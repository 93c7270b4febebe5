"""Which split a query is in: by hash of its words, so that it stays there whatever queries come beside it."""

from __future__ import annotations

import hashlib
import re
import unicodedata

TRAIN, DEV, TEST = "train", "dev", "test"

_WORD = re.compile(r"\w+")


def same_query(text: str) -> str:
    """What equal queries have in common: their words, in lower case, whatever white space is between them."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def words_of(text: str) -> str:
    """The letters and digits of a query, by which it is in a split; all of it where it has none."""
    return " ".join(_WORD.findall(same_query(text))) or same_query(text)


def split_of(text: str, dev: float, test: float) -> str:
    """The split of a query; the shares `dev` and `test` of all queries are in these.

    Letters and digits decide alone: what differs in marks is another query, but no other question.
    """
    words = words_of(text)
    digest = hashlib.sha256(words.encode("utf-8", "replace")).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return TEST if place < test else DEV if place < test + dev else TRAIN


def query_id(text: str) -> str:
    """The id of a query that has none, of its words."""
    return f"q-{hashlib.sha256(same_query(text).encode('utf-8', 'replace')).hexdigest()[:16]}"
