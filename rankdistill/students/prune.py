"""Encoders with a smaller vocabulary: the tokeniser is cut to the tokens that the texts use, the table with it.

Which tokens stay is said in `kept_tokens`; their vectors stay as they are.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rankdistill import files, plain_json
from rankdistill.errors import ModelReferenceError
from rankdistill.inference.saving import NO_LIMIT, save_tokenizer
from rankdistill.inference.storage import is_table
from rankdistill.students.kept_tokens import Cutter, Kept

if TYPE_CHECKING:
    from tokenizers import Tokenizer

COUNTED_TEXTS = 50_000
"""Texts whose tokens are counted at most: counts of more choose the same tokens."""
AT_ONCE = 1000
TOKENISER, CONFIGURATION = "tokenizer.json", "tokenizer_config.json"
SOURCES = ("vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model")
"""Files that tell the whole vocabulary again, beside `tokenizer.json`."""


def prune(model: Any, texts: Iterable[str], size: int) -> None:
    """Cut the vocabulary of `model`, in place, to `size` tokens; one that has no more stays as it is.

    Args:
        model: of sentence-transformers, with one transformer or a token table at its start.
        texts: whose tokens are counted; the model's prompts are counted with each.
        size: tokens that stay.

    Raises:
        ConfigError: more tokens must stay, see `kept_tokens`.
        ModelReferenceError: no fast tokeniser of a known kind, or a table that does not fit it.
    """
    from rankdistill.inference.splade_head import pool_after_activation, pool_before_activation

    cutter = opened(model)
    if size >= cutter.whole:
        return
    kept = cutter.keep(counted(model, texts), size)
    if is_table(model[0]):
        _cut_rows(model, cutter, kept)
        return
    tokenizer = _retold(model.tokenizer, cutter, kept)
    swapped = pool_after_activation(model)
    _cut_table(model.transformers_model, kept, model.tokenizer, tokenizer)
    model[0].processor = tokenizer
    for module in model:
        module.on_model_ready(model)
    if swapped:
        pool_before_activation(model)


def opened(model: Any) -> Cutter:
    """What cuts the tokeniser of `model`.

    Raises:
        ModelReferenceError: neither a transformer nor a table with a fast tokeniser of a known kind.
    """
    from sentence_transformers.base.modules import Transformer
    from transformers import PreTrainedTokenizerFast

    first, tokenizer = model[0], getattr(model, "tokenizer", None)
    if is_table(first):
        return Cutter(json.loads(first.tokenizer.to_str()))
    if not isinstance(first, Transformer) or not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ModelReferenceError(
            expected="a student that starts with one transformer and its fast tokeniser, or with a token table",
            got=f"{type(first).__name__} with {type(tokenizer).__name__}",
            consequence="its vocabulary was left as it is",
            remedy="leave vocabulary out, or take another student",
        )
    specification = json.loads(tokenizer.backend_tokenizer.to_str())
    return Cutter(specification, tokenizer.pad_token_id)


def counted(model: Any, texts: Iterable[str]) -> NDArray[np.int64]:
    """How often each token of `model` is in `texts` as it reads them, with its prompts once a text, int64[tokens]."""
    limit, tokenizer = model.max_seq_length, model.tokenizer
    if is_table(model[0]):
        limit = (tokenizer.truncation or {}).get("max_length")
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    with _cutting(backend, limit if limit is not None and limit < NO_LIMIT else None) as own:
        counts, read = count(own, texts)
        prompts, _ = count(own, [prompt for prompt in model.prompts.values() if prompt])
    return counts + read * prompts


def count(tokenizer: Tokenizer, texts: Iterable[str]) -> tuple[NDArray[np.int64], int]:
    """How often each token is in `texts`, int64[tokens], and how many texts there are."""
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    counts, read = np.zeros(size, dtype=np.int64), 0
    source = iter(texts)
    while some := list(islice(source, AT_ONCE)):
        encodings = tokenizer.encode_batch_fast(some, add_special_tokens=False)
        ids = np.fromiter(chain.from_iterable(encoding.ids for encoding in encodings), dtype=np.int64)
        found = np.bincount(ids, minlength=size)
        counts = np.pad(counts, (0, len(found) - len(counts))) + found if len(found) > len(counts) else counts + found
        size, read = len(counts), read + len(some)
    return counts, read


@contextmanager
def _cutting(tokenizer: Tokenizer, limit: int | None) -> Iterator[Tokenizer]:
    """Within the block `tokenizer` pads nothing, and cuts texts at `limit` tokens; then it is as it was."""
    padding, truncation = tokenizer.padding, tokenizer.truncation
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if limit is not None:
        tokenizer.enable_truncation(int(limit))
    try:
        yield tokenizer
    finally:
        tokenizer.no_truncation()
        if truncation is not None:
            tokenizer.enable_truncation(**truncation)
        if padding is not None:
            tokenizer.enable_padding(**padding)


def sampled(texts: Iterable[str]) -> list[str]:
    """The texts whose tokens are counted, of any number: those of the lowest hash."""
    return heapq.nsmallest(COUNTED_TEXTS, texts, key=_hash)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _retold(tokenizer: Any, cutter: Cutter, kept: Kept) -> Any:
    """The tokeniser that reads its own files with the tokens `kept`."""
    with files.temporary_folder() as folder:
        save_tokenizer(tokenizer, folder)
        for source in SOURCES:
            (folder / source).unlink(missing_ok=True)
        _write(folder / TOKENISER, cutter.written(kept))
        config = plain_json.read(folder / CONFIGURATION)
        if told := config.get("added_tokens_decoder"):
            config["added_tokens_decoder"] = {str(kept.ids[token["content"]]): token for token in told.values()}
        _write(folder / CONFIGURATION, config)
        found = type(tokenizer).from_pretrained(folder, local_files_only=True)
    found.name_or_path = tokenizer.name_or_path
    if found.get_vocab() != kept.ids:
        raise ModelReferenceError(
            expected=f"a tokeniser that reads {len(kept):,} tokens from its own file",
            got=f"{type(tokenizer).__name__}, which reads {len(found.get_vocab()):,} or gives them other numbers",
            consequence="its texts would get the vectors of other tokens, so no token was removed",
            remedy="leave vocabulary out, or take another student",
        )
    return found


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _cut_table(encoder: Any, kept: Kept, old: Any, new: Any) -> None:
    """Give `encoder` the rows of `kept` alone, in its table and in a head over the vocabulary; its settings follow."""
    import torch
    from torch import nn

    table = encoder.get_input_embeddings()
    most = max(max(rows) for rows in kept.rows)
    if most >= table.num_embeddings:
        raise ModelReferenceError(
            expected=f"a table with a row for each token, {most + 1:,} at least",
            got=f"{table.num_embeddings:,} rows",
            consequence="no token was removed",
            remedy="take a student whose tokeniser is its own",
        )
    head = encoder.get_output_embeddings()
    with torch.no_grad():
        smaller = nn.Embedding(len(kept), table.embedding_dim, dtype=table.weight.dtype)
        smaller.padding_idx = None if table.padding_idx is None else new.pad_token_id
        smaller.weight.copy_(_rows(table.weight, kept.rows))
        encoder.set_input_embeddings(smaller)
        if head is not None:
            output = nn.Linear(head.in_features, len(kept), bias=head.bias is not None, dtype=head.weight.dtype)
            output.weight.copy_(_rows(head.weight, kept.rows))
            if head.bias is not None:
                output.bias.copy_(_rows(head.bias, kept.rows))
            tied = head.weight is table.weight
            encoder.set_output_embeddings(output)
            if tied:
                output.weight = smaller.weight
    _tell(encoder.config, old, new, len(kept))
    _require_loadable(encoder)


def _cut_rows(model: Any, cutter: Cutter, kept: Kept) -> None:
    """The same for a token table whose rows are averaged."""
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(json.dumps(cutter.written(kept)))
    table = model[0].embedding.weight.detach()
    model[0] = StaticEmbedding(tokenizer, embedding_weights=_rows(table, kept.rows))


def _rows(weights: Any, rows: Sequence[Sequence[int]]) -> Any:
    """The mean of some rows of `weights` for each of `rows`."""
    import torch

    found = weights[torch.tensor([own[0] for own in rows])].clone()
    for number, own in enumerate(rows):
        if len(own) > 1:
            found[number] = weights[torch.tensor(own)].mean(dim=0)
    return found


def _tell(config: Any, old: Any, new: Any, size: int) -> None:
    """The new size and the new ids of special tokens."""
    config.vocab_size = size
    ids = new.get_vocab()
    for name, value in config.to_dict().items():
        if name.endswith("_token_id") and isinstance(value, int):
            setattr(config, name, ids.get(old.convert_ids_to_tokens(value)))
        elif name.endswith("_token_id") and isinstance(value, list):
            found = [ids.get(token) for token in old.convert_ids_to_tokens(value)]
            setattr(config, name, [one for one in found if one is not None])


def _require_loadable(encoder: Any) -> None:
    """A model built afresh from the new configuration must have the shapes that are there now."""
    import torch

    with torch.device("meta"):
        fresh = type(encoder)(encoder.config)
    wanted = {name: weight.shape for name, weight in fresh.state_dict().items()}
    found = {name: weight.shape for name, weight in encoder.state_dict().items()}
    if wanted != found:
        differing = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        raise ModelReferenceError(
            expected="an architecture whose vocabulary is in its token table and the head tied to it",
            got=f"{type(encoder).__name__}, with {', '.join(differing[:3])} besides",
            consequence="the saved model would not load",
            remedy="leave vocabulary out, or take another student",
        )
