"""Words that are too rare to be fitted, or in no text at all: their rows are the map's, and come after the fit.

Within the fit a rare word's row would learn the few texts that it is in by heart, and its pieces would learn less.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rankdistill.errors import ModelReferenceError
from rankdistill.students import vocabulary, word_list
from rankdistill.students.settings import StaticSettings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LONGEST = 100
"""Characters of a word; WordPiece knows no longer ones."""


def choose(tokenizer: Tokenizer, texts: Sequence[str], settings: StaticSettings) -> list[str]:
    """The words that `tokenizer` lacks: the rare ones of the texts, the most frequent first, then those of the list.

    Raises:
        DataError: the list cannot be read.
        ModelReferenceError: words are to be added to a tokeniser that is not WordPiece.
    """
    if not settings.rare_words and settings.word_list is None:
        return []
    if not vocabulary.is_word_piece(tokenizer):
        raise ModelReferenceError(
            expected="a WordPiece tokeniser, to which whole words can be added",
            got=f"a {type(tokenizer.model).__name__} tokeniser",
            consequence="a new word would change how other words are cut, so no student was made",
            remedy="leave the static student's `rare_words` and `word_list` out, or take a teacher with WordPiece",
        )
    known = tokenizer.get_vocab(with_added_tokens=True)
    counts = vocabulary.count(tokenizer, texts)
    unknown = {word: number for word, number in counts.items() if word not in known and len(word) <= LONGEST}
    rare = sorted(unknown, key=lambda word: (-unknown[word], word))[: settings.rare_words]
    listed = [] if settings.word_list is None else word_list.read(Path(settings.word_list))
    whole = (word for one in listed for word in vocabulary.count(tokenizer, [one]))
    return list(dict.fromkeys([*rare, *(word for word in whole if word not in known and len(word) <= LONGEST)]))


def rows(vectors: np.ndarray, mapping: np.ndarray | None, rarer: np.ndarray, weight: float) -> np.ndarray:
    """The rows of further words, float32[words, dim]: in the map's direction, all of one length.

    Args:
        vectors: the teacher's vector of each word on its own, float32[words, dim].
        mapping: the linear map of all rows, float32[dim, dim]; None: there is none.
        rarer: rows of the rarer half of the tokens that were fitted, float32[n, dim].
        weight: length of the new rows, in medians of the length of those; a rare word says more of what a text is about
            than a frequent one.
    """
    found = vectors if mapping is None else vectors @ mapping
    lengths = np.linalg.norm(rarer, axis=1)
    length = float(np.median(lengths[lengths > 0])) if lengths.any() else 1.0
    own = np.linalg.norm(found, axis=1, keepdims=True)
    scaled = np.divide(found, own, out=np.zeros_like(found), where=own > 0) * (weight * length)
    return np.asarray(scaled, dtype=np.float32)
