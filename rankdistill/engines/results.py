"""What engines answer, brought into the form of `Searcher.search`."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from rankdistill.engines.registry import password_of, shown
from rankdistill.errors import RankdistillError, RemoteError, without_secret
from rankdistill.indexing.base import NOTHING, Ids, Scores

Found = tuple[str, float, int]
"""A document's id, its score and its place in the source."""


def ranked(rows: Sequence[Sequence[Found]], k: int) -> tuple[Ids, Scores]:
    """The best `k` of each row, as `Searcher.search` gives them; equal scores in the order of the source."""
    ids = np.full((len(rows), k), NOTHING, dtype=object)
    scores = np.full((len(rows), k), -np.inf, np.float32)
    for row, found in enumerate(rows):
        for column, (doc_id, score, _) in enumerate(sorted(found, key=lambda hit: (-hit[1], hit[2]))[:k]):
            ids[row, column], scores[row, column] = doc_id, score
    return ids, scores


def without_secrets(url: str, secret: str | None, text: str) -> str:
    """`text` without the key or `USER:PASSWORD`, as it is or as a header has it, and without the password of `url`."""
    encoded = base64.b64encode(secret.encode()).decode() if secret else None
    password = secret.partition(":")[2] if secret else None
    for one in (secret, encoded, password, password_of(url)):
        text = without_secret(one, text)
    return text


@contextmanager
def answering(
    engine: str, url: str, errors: type[BaseException] | tuple[type[BaseException], ...], secret: str | None = None
) -> Iterator[None]:
    """Within the block, `errors` of a client's become RemoteError that names the engine, and no key or password."""
    try:
        yield
    except RankdistillError:
        raise
    except errors as error:
        told = without_secrets(url, secret, str(error)).strip().splitlines()
        raise RemoteError(
            expected=f"{engine} at {shown(url)} to answer",
            got=f"{type(error).__name__}: {' '.join(told)[:300]}",
            consequence="what was written before is kept; the same command goes on from there",
            remedy="see that the engine runs and is reached under this URL, that the key is right (--api-key-env) "
            "and that it has room",
        ) from error
