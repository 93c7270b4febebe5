"""Writing models: every file that others read says how many tokens of a text the model reads.

sentence-transformers keeps the length in one place and takes it from there. Other libraries that serve the same folder
read `model_max_length` of `tokenizer_config.json` (fastembed, transformers.js), `max_seq_length` of
`sentence_bert_config.json` (text-embeddings-inference), or the truncation in `tokenizer.json` (who takes `tokenizers`
alone). Where these say more than the model was made to read, a long text gets another vector there, and nobody is told.
So no model is written but here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rankdistill import files, locations, plain_json
from rankdistill.inference.loading import quietly

NO_LIMIT = 10**9
"""Transformers writes 10^30 for tokenisers without a maximum."""

TOKENISER, TOKENISER_CONFIG, SENTENCE_CONFIG = "tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json"


def save_model(model: Any, folder: Path) -> None:
    """Write a model of sentence-transformers into `folder`, as that library does, without a card, its length told.

    Raises:
        OutputError: it cannot be written.
    """
    with files.output_errors(folder), quietly():
        model.save_pretrained(str(folder), create_model_card=False)
        files.open_to_readers(folder)
        for place in _tokenised(folder):
            tell_length(place, _declared(place))


def save_trained(model: Any, folder: Path) -> None:
    """`save_model` for a model that was trained: its tokeniser is written as a batch leaves it.

    A tokeniser is written with the padding and truncation that it was last asked for; a run that was interrupted behind
    its last step, and went on from there, asked for none.

    Raises:
        OutputError: it cannot be written.
    """
    from transformers import PreTrainedTokenizerBase

    tokeniser = getattr(model, "tokenizer", None)
    if isinstance(tokeniser, PreTrainedTokenizerBase) and tokeniser.pad_token is not None:
        with quietly():
            tokeniser(["a"], padding=True, truncation=True)
    save_model(model, folder)


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Write a transformers tokeniser alone, as it is; what a model with it is cut to, `save_model` says."""
    tokenizer.save_pretrained(str(folder))


def copy_model(source: Path, paths: Iterable[Path], folder: Path, length: int | None) -> None:
    """Copy the files `paths` of the model in `source` to `folder`, and let them tell the length that it reads.

    Args:
        source: the model.
        paths: its files, inside `source`.
        folder: made if absent.
        length: tokens of a text that it reads at most; None: no maximum.

    Raises:
        OutputError: they cannot be written.
    """
    with files.output_errors(folder):
        for path in paths:
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        if (folder / TOKENISER_CONFIG).is_file():
            tell_length(folder, length)


def tell_length(folder: Path, length: int | None) -> None:
    """Let the tokeniser's files in `folder` say that texts are cut at `length` tokens; None: they stay as they are.

    A file that says it already keeps its bytes.
    """
    if length is None or length >= NO_LIMIT:
        return
    _set(folder / TOKENISER_CONFIG, "model_max_length", length)
    if "max_length" in _read(folder / TOKENISER_CONFIG):  # of a call that the tokeniser was saved after
        _set(folder / TOKENISER_CONFIG, "max_length", length)
    if (folder / SENTENCE_CONFIG).is_file():
        _set(folder / SENTENCE_CONFIG, "max_seq_length", length)
    truncation = _read(folder / TOKENISER).get("truncation") or _TRUNCATION
    _set(folder / TOKENISER, "truncation", truncation | {"max_length": length})


def told_lengths(folder: Path) -> dict[str, int | None]:
    """File -> the length that it tells, of every file of a model in `folder` that could tell one; None: it does not."""
    found: dict[str, int | None] = {}
    for place in _tokenised(folder):
        inner = "" if place == folder else f"{place.relative_to(folder).as_posix()}/"
        config = _read(place / TOKENISER_CONFIG)
        found |= {f"{inner}{TOKENISER_CONFIG}": _limited(config.get("model_max_length"))}
        if "max_length" in config:
            found |= {f"{inner}{TOKENISER_CONFIG}, max_length": _limited(config["max_length"])}
        if (place / SENTENCE_CONFIG).is_file():
            found |= {f"{inner}{SENTENCE_CONFIG}": _limited(_read(place / SENTENCE_CONFIG).get("max_seq_length"))}
        if (place / TOKENISER).is_file():
            found |= {f"{inner}{TOKENISER}": _limited((_read(place / TOKENISER)["truncation"] or {}).get("max_length"))}
    return found


_TRUNCATION = {"direction": "Right", "max_length": 0, "strategy": "LongestFirst", "stride": 0}


def _tokenised(folder: Path) -> list[Path]:
    """The folders of modules that have a tokeniser of transformers."""
    return [path.parent for path in locations.listing(folder, f"**/{TOKENISER_CONFIG}")]


def _declared(folder: Path) -> int | None:
    """What sentence-transformers saved as the length."""
    return _limited(_read(folder / TOKENISER_CONFIG).get("model_max_length"))


def _limited(length: object) -> int | None:
    return int(length) if isinstance(length, int | float) and length < NO_LIMIT else None


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = plain_json.read(path) if path.is_file() else {}
    return found


def _set(path: Path, name: str, value: Any) -> None:
    if path.is_file() and (content := _read(path)).get(name) != value:
        text = json.dumps(content | {name: value}, indent=2, ensure_ascii=False) + "\n"
        files.write_text(path, text)
