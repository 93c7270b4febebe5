"""Static students: a table of token vectors and their mean, made from a teacher; a query is encoded in microseconds.

The first table holds the teacher's vector of each token and whole word on its own, times its smooth inverse frequency
(Arora et al. 2017). To the teacher's vectors of whole texts are fitted, by least squares, first one linear map of all
rows, then the rows. Words that are too rare for that may come after it, with the map's rows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.inference import TextEncoder
from rankdistill.progress import Progress
from rankdistill.space import Space
from rankdistill.students import dense, further_words, narrowed, prune, table_fit, vocabulary
from rankdistill.students.kept_tokens import Cutter
from rankdistill.students.settings import StaticSettings
from rankdistill.students.targets import Targets

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

WORDS = 20_000


def build(
    teacher: str,
    targets: Targets,
    settings: StaticSettings,
    space: Space,
    progress: Progress | None = None,
    rows: int | None = None,
    known: dict[str, np.ndarray] | None = None,
) -> SentenceTransformer:
    """A static student of `teacher`, without a `Normalize` at its end.

    Args:
        teacher: model reference.
        targets: texts, for the vocabulary, the weights and the fit, with the teacher's vectors.
        settings: how the table is made.
        space: the teacher's; its maximum length is where texts are cut, its normalisation how they are compared.
        progress: called with the number of texts and tokens done since the last call.
        rows: tokens that the table holds at most, those that the texts use most; see `kept_tokens`.
        known: the teacher's vectors of tokens by their text; what is missing is added, for the next one that is made.

    Raises:
        ModelReferenceError: the teacher has no fast tokeniser, or one that words cannot be added to.
        ConfigError: more principal directions are to be removed than there are; fewer rows than must be kept; a
            dimension above the teacher's.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    encoder = TextEncoder(teacher, max_length=space.max_length)
    tokenizer = tokenizer_of(teacher, targets, settings, encoder.max_length)
    if rows is not None:
        tokenizer = _cut(tokenizer, targets, rows)
    further = further_words.choose(tokenizer, targets.texts, settings)
    table = _of_single_tokens(encoder, tokenizer, progress, known)
    directions = _principal(table, settings.principal)
    table = _less(table, directions)
    mean = table_fit.bags(tokenizer, targets.texts, len(table), progress)
    table *= _weights(mean, settings)[:, None]
    mapping = None
    if settings.fit:
        mapping = table_fit.shared_map(mean, table, targets.vectors, settings.map_ridge, space.normalised)
        table = table_fit.least_squares(mean, targets.vectors, table @ mapping, settings.ridge, space.normalised)
    uses = np.asarray(mean.sum(axis=0)).ravel()
    if further:
        first, tokenizer = len(table), vocabulary.extend(tokenizer, further)
        vectors = _less(_of_single_tokens(encoder, tokenizer, progress, known, first), directions)
        rarer = table[(uses > 0) & (uses <= np.median(uses[uses > 0]))]
        table = np.concatenate([table, further_words.rows(vectors, mapping, rarer, settings.rare_weight)])
        uses = np.pad(uses, (0, len(table) - first))
    if settings.dimension is None:
        return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=table)], device="cpu")
    short, layer = narrowed.factors(table, uses, settings.dimension)
    modules = [StaticEmbedding(tokenizer, embedding_weights=short), narrowed.linear(layer)]
    return SentenceTransformer(modules=modules, device="cpu")


def tokenizer_of(teacher: str, targets: Targets, settings: StaticSettings, max_length: int | None) -> Tokenizer:
    """The tokeniser of a static student of `teacher` that may have any number of rows.

    Raises:
        ModelReferenceError: the teacher has no fast tokeniser, or one that words cannot be added to.
    """
    return _extended(_tokenizer(teacher, max_length), targets, settings)


def _tokenizer(teacher: str, max_length: int | None) -> Tokenizer:
    """The teacher's tokeniser, cutting texts where the teacher does."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    found = dense.load(teacher).tokenizer
    if not isinstance(found, PreTrainedTokenizerFast):
        raise ModelReferenceError(
            expected="a teacher with a fast tokeniser",
            got=f"{teacher!r} has {type(found).__name__}",
            consequence="no static student was made",
            remedy="take a student with layers, or a teacher whose tokenizer.json is there",
        )
    tokenizer = Tokenizer.from_str(found.backend_tokenizer.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if max_length is not None:
        tokenizer.enable_truncation(max_length)
    return tokenizer


def _extended(own: Tokenizer, targets: Targets, settings: StaticSettings) -> Tokenizer:
    default = WORDS if vocabulary.is_word_piece(own) else 0
    limit = default if settings.words is None else settings.words
    if not limit:
        return own
    counts = vocabulary.count(own, targets.texts)
    return vocabulary.extend(own, vocabulary.most_frequent(counts, limit, settings.min_count))


def _cut(tokenizer: Tokenizer, targets: Targets, rows: int) -> Tokenizer:
    from tokenizers import Tokenizer

    cutter = Cutter(json.loads(tokenizer.to_str()))
    if rows >= cutter.whole:
        return tokenizer
    counts, _ = prune.count(tokenizer, targets.texts)
    return Tokenizer.from_str(json.dumps(cutter.written(cutter.keep(counts, rows))))


def _of_single_tokens(
    encoder: TextEncoder,
    tokenizer: Tokenizer,
    progress: Progress | None,
    known: dict[str, np.ndarray] | None,
    first: int = 0,
) -> np.ndarray:
    """The teacher's vector of each token from `first` on its own, float32[tokens, dim]; special tokens are zero."""
    numbers = range(first, tokenizer.get_vocab_size(with_added_tokens=True))
    texts = tokenizer.decode_batch([[number] for number in numbers])
    texts = [text.removeprefix(vocabulary.CONTINUATION) for text in texts]
    if known is None:
        table = encoder.encode_queries(texts, progress)
    else:
        new = sorted(set(texts) - known.keys())
        if new:
            known |= zip(new, encoder.encode_queries(new, progress), strict=True)
        table = np.stack([known[text] for text in texts])
    special = [number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special]
    table[[number - first for number in special if number >= first]] = 0.0
    return table


def _principal(table: np.ndarray, count: int) -> np.ndarray:
    """The `count` principal directions of the rows (uncentred), float32[dim, count]."""
    if count > table.shape[1]:
        raise ConfigError(
            expected=f"at most {table.shape[1]} principal directions to remove, as many as the teacher has dimensions",
            got=f"{count}",
            consequence="no static student was made",
            remedy="set the static student's `principal` to 0 or 1",
        )
    return np.asarray(np.linalg.eigh(table.T @ table).eigenvectors[:, table.shape[1] - count :])


def _less(table: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """`table` less its part in the orthogonal `directions`."""
    return table - (table @ directions) @ directions.T


def _weights(mean: csr_array, settings: StaticSettings) -> np.ndarray:
    if settings.weighting == "uniform":
        return np.ones(mean.shape[1], dtype=np.float32)
    share = np.asarray(mean.sum(axis=0)).ravel() / max(mean.shape[0], 1)
    return (settings.sif / (settings.sif + share)).astype(np.float32)
