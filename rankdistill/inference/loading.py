"""Loading sentence-transformers models from this disk, quietly, and telling what a folder holds.

None reads more of a text than it has positions for: see `rankdistill.inference.positions` for the rule.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from logging import getLogger
from pathlib import Path
from typing import Any, Literal

from rankdistill import plain_json
from rankdistill.errors import ModelReferenceError
from rankdistill.inference.padding import give_padding, give_padding_to_pairs
from rankdistill.models import ModelReference

ModelKind = Literal["encoder", "cross_encoder", "sparse", "multi_vector", "causal_lm"]

_DECLARED: dict[str, ModelKind] = {
    "CrossEncoder": "cross_encoder",
    "SparseEncoder": "sparse",
    "MultiVectorEncoder": "multi_vector",
    "ColBERT": "multi_vector",
}
"""`model_type` in config_sentence_transformers.json (the last one is PyLate's) -> kind."""

_PYLATE_SETTINGS = frozenset(
    {
        "query_prefix",
        "document_prefix",
        "query_length",
        "document_length",
        "attend_to_expansion_tokens",
        "do_query_expansion",
        "skiplist_words",
    }
)
"""What PyLate alone writes into config_sentence_transformers.json; it did so before it wrote a `model_type`."""

_NAMES: dict[ModelKind, str] = {
    "encoder": "an encoder",
    "cross_encoder": "a cross-encoder",
    "sparse": "a sparse encoder",
    "multi_vector": "a multi-vector encoder",
    "causal_lm": "a causal language model",
}

PAIR_HEAD = "pair_head.safetensors"
"""Beside a dense model: a head that scores its vectors, see `rankdistill.inference.pair_head`."""

_CAUSAL = ("ForCausalLM", "LMHeadModel")
"""How the classes of causal language models end."""

_SEQ2SEQ = "ForConditionalGeneration"
"""How the classes of sequence-to-sequence models end."""


@contextmanager
def quietly() -> Iterator[None]:
    """Hide the bars and the notes (a new head, a converted model) that loading and saving print."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    loggers = [getLogger(name) for name in ("transformers", "sentence_transformers")]
    levels = [logger.level for logger in loggers]
    logging.disable_progress_bar()
    for logger in loggers:
        logger.setLevel("ERROR")
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if shown:
            logging.enable_progress_bar()


def kind_of(path: Path) -> ModelKind:
    """What `path` holds, from its configuration alone.

    A masked language model without sentence-transformers modules counts as sparse (SPLADE: `SparseEncoder` reads such a
    folder as it is), a causal one as a language model. PyLate's early models declare no type: their settings, modules
    or similarity tell.
    """
    architectures = _architectures(path)
    if any(name.endswith("ForSequenceClassification") for name in architectures):
        return "cross_encoder"
    settings = _json(path / "config_sentence_transformers.json")
    declared = settings.get("model_type")
    if declared in _DECLARED:
        return _DECLARED[declared]
    if declared is None and _is_of_pylate(path, settings):
        return "multi_vector"
    if any(name == "HF_ColBERT" or name.endswith("ForRetrieval") for name in architectures):
        return "multi_vector"
    if _has_modules(path):
        return "encoder"
    if any(name.endswith("ForMaskedLM") for name in architectures):
        return "sparse"
    return "causal_lm" if any(name.endswith(_CAUSAL) for name in architectures) else "encoder"


def writes_of_texts(path: Path) -> bool:
    """Whether `path` holds a sequence-to-sequence model, from its configuration alone."""
    return any(name.endswith(_SEQ2SEQ) for name in _architectures(path))


def load_encoder(reference: ModelReference, device: str | None, max_length: int | None) -> Any:
    """The `SentenceTransformer` of `reference`, in evaluation mode; `max_length` replaces its own maximum.

    Raises:
        ModelReferenceError: another kind of model, or a damaged one.
        ConfigError: `max_length` is beyond the model's positions.
    """
    from sentence_transformers import SentenceTransformer

    from rankdistill.inference import positions

    kind = kind_of(reference.path)
    is_bare_language_model = kind in {"sparse", "causal_lm"} and not _has_modules(reference.path)
    if kind != "encoder" and not is_bare_language_model:
        raise _wrong_kind(reference, "a model that embeds single texts", _NAMES[kind])
    _require_default_prompt(reference)
    with _reading(reference):
        model = SentenceTransformer(str(reference.path), device=device, local_files_only=True)
        positions.cut(model, max_length, reference.name)
    _require_vocabulary(reference, model.tokenizer)
    if max_length is not None:
        _set_max_length(model, max_length)
    return model.eval()


def max_length_of(model: Any) -> int | None:
    """Tokens of a text that a `SentenceTransformer` reads at most; None where there is no maximum.

    A static model declares none, and reads what its tokeniser leaves of a text.
    """
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    if isinstance(model[0], StaticEmbedding):
        truncation = model[0].tokenizer.truncation
        return None if truncation is None else int(truncation["max_length"])
    limit = model.max_seq_length
    return None if limit is None or math.isinf(limit) else limit


def _set_max_length(model: Any, max_length: int) -> None:
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    if isinstance(model[0], StaticEmbedding):
        model[0].tokenizer.enable_truncation(max_length)
    else:
        model.max_seq_length = max_length


def load_cross_encoder(reference: ModelReference, device: str | None, max_length: int | None) -> Any:
    """The `CrossEncoder` of `reference` with one output, in evaluation mode.

    Raises:
        ModelReferenceError: the folder has no trained head, or one with several outputs.
        ConfigError: `max_length` is beyond the model's positions.
    """
    from sentence_transformers import CrossEncoder

    from rankdistill.inference import positions

    kind = kind_of(reference.path)
    if kind != "cross_encoder":
        expected, got = "a cross-encoder (a sequence-classification head)", f"{_NAMES[kind]} without such a head"
        raise _wrong_kind(reference, expected, got)
    with _reading(reference):
        model = CrossEncoder(str(reference.path), device=device, max_length=max_length, local_files_only=True)
        positions.cut(model, max_length, reference.name)
    _require_vocabulary(reference, model.tokenizer)
    give_padding_to_pairs(model)
    if model.num_labels != 1:
        raise _wrong_kind(reference, "a cross-encoder with one output", f"num_labels = {model.num_labels}")
    return model.eval()


def load_sparse_encoder(reference: ModelReference, device: str | None, max_length: int | None) -> Any:
    """The `SparseEncoder` of `reference`, in evaluation mode.

    Raises:
        ModelReferenceError: another kind of model, which the library would give an untrained sparse layer.
        ConfigError: `max_length` is beyond the model's positions.
    """
    from sentence_transformers import SparseEncoder

    from rankdistill.inference import positions

    kind = kind_of(reference.path)
    if kind != "sparse":
        expected = "a sparse encoder (a SparseEncoder, or a masked language model trained as SPLADE)"
        raise _wrong_kind(reference, expected, _NAMES[kind])
    with _reading(reference):
        model = SparseEncoder(str(reference.path), device=device, local_files_only=True)
        positions.cut(model, max_length, reference.name)
    _require_vocabulary(reference, model.tokenizer)
    if max_length is not None:
        model.max_seq_length = max_length
    return model.eval()


def load_multi_vector_encoder(reference: ModelReference, device: str | None, max_length: int | None) -> Any:
    """The `MultiVectorEncoder` of `reference`, in evaluation mode; `max_length` replaces the length of documents.

    Queries keep their own length where the model declares one.

    Raises:
        ModelReferenceError: another kind of model, which the library would give an untrained projection.
        ConfigError: `max_length` is beyond the model's positions.
    """
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Transformer

    from rankdistill.inference import positions

    kind = kind_of(reference.path)
    if kind != "multi_vector":
        expected = "a multi-vector encoder (a MultiVectorEncoder, a PyLate or a ColBERT model)"
        raise _wrong_kind(reference, expected, _NAMES[kind])
    with _reading(reference):
        model = MultiVectorEncoder(str(reference.path), device=device, local_files_only=True)
        positions.cut(model, max_length, reference.name)
    _require_vocabulary(reference, model.tokenizer)
    if max_length is not None:
        model.max_seq_length = max_length
        if isinstance(model[0], Transformer) and model[0].document_length is not None:
            model[0].document_length = max_length
    return model.eval()


def load_causal_lm(reference: ModelReference, device: str, dtype: str) -> tuple[Any, Any]:
    """The causal language model of `reference` with weights in `dtype`, and its tokeniser, as transformers has them.

    Raises:
        ModelReferenceError: another architecture, which transformers would give an untrained head.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not any(name.endswith(_CAUSAL) for name in _architectures(reference.path)):
        raise _wrong_kind(reference, "a causal language model (...ForCausalLM)", _NAMES[kind_of(reference.path)])
    with _reading(reference):
        tokenizer = AutoTokenizer.from_pretrained(str(reference.path), local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            str(reference.path), dtype=getattr(torch, dtype), local_files_only=True
        )
    _require_vocabulary(reference, tokenizer)
    return model.to(device).eval(), tokenizer


def load_seq2seq(reference: ModelReference, device: str, dtype: str) -> tuple[Any, Any]:
    """The sequence-to-sequence model of `reference` with weights in `dtype`, and its tokeniser.

    Raises:
        ModelReferenceError: another architecture.
    """
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    if not any(name.endswith(_SEQ2SEQ) for name in _architectures(reference.path)):
        expected = "a model that writes texts of texts (...ForConditionalGeneration, as T5 and BART)"
        raise _wrong_kind(reference, expected, _NAMES[kind_of(reference.path)])
    with _reading(reference):
        tokenizer = AutoTokenizer.from_pretrained(str(reference.path), local_files_only=True)
        model = AutoModelForSeq2SeqLM.from_pretrained(
            str(reference.path), dtype=getattr(torch, dtype), local_files_only=True
        )
    _require_vocabulary(reference, tokenizer)
    return model.to(device).eval(), tokenizer


@contextmanager
def _reading(reference: ModelReference) -> Iterator[None]:
    """Quietly; a file of the model that is damaged or gone raises ModelReferenceError."""
    from safetensors import SafetensorError

    try:
        with quietly():
            yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise _damaged(reference, str(error)) from error


def _require_vocabulary(reference: ModelReference, tokenizer: Any) -> None:
    """Raise ModelReferenceError if the tokeniser knows no word: transformers makes one where its files are gone.

    One that has words and no padding token is given one, see `rankdistill.inference.padding`.
    """
    from transformers import PreTrainedTokenizerBase

    if isinstance(tokenizer, PreTrainedTokenizerBase) and len(tokenizer) <= len(tokenizer.all_special_ids):
        raise _damaged(reference, f"a tokeniser of {len(tokenizer)} tokens, none of them a word")
    give_padding(tokenizer)


def _damaged(reference: ModelReference, got: str) -> ModelReferenceError:
    return ModelReferenceError(
        expected=f"a model whose files are all there and whole: {reference.name} ({reference.path})",
        got=" ".join(got.split())[:300],
        consequence="no model was loaded",
        remedy="train, copy or fetch it again",
    )


def _require_default_prompt(reference: ModelReference) -> None:
    """Raise ModelReferenceError if the configuration names a default prompt that it does not have."""
    config = _json(reference.path / "config_sentence_transformers.json")
    name, prompts = config.get("default_prompt_name"), config.get("prompts") or {}
    if name is not None and name not in {"query", "document", *prompts}:
        raise ModelReferenceError(
            expected=f"the text of the default prompt {name!r} in config_sentence_transformers.json",
            got=f"{reference.name} ({reference.path}): it has {', '.join(sorted(prompts)) or 'no prompts'}",
            consequence="no model was loaded",
            remedy="add that prompt to `prompts` in the file, or set `default_prompt_name` to null",
        )


def _wrong_kind(reference: ModelReference, expected: str, got: str) -> ModelReferenceError:
    return ModelReferenceError(
        expected=expected,
        got=f"{reference.name} ({reference.path}): {got}",
        consequence="its numbers would mean something else, so nothing was run",
        remedy="give another model, or the kind that it is; `rankdistill teach` makes a cross-encoder from any encoder",
    )


def _architectures(path: Path) -> list[str]:
    return _json(path / "config.json").get("architectures") or []


def _has_modules(path: Path) -> bool:
    return (path / "modules.json").is_file()


def _is_of_pylate(path: Path, settings: dict[str, Any]) -> bool:
    """Whether a model of no declared type was saved by PyLate."""
    if _PYLATE_SETTINGS & settings.keys() or "maxsim" in str(settings.get("similarity_fn_name")).lower():
        return True
    return any(str(module.get("type")).startswith("pylate.") for module in _read_json(path / "modules.json") or [])


def _json(path: Path) -> dict[str, Any]:
    return _read_json(path) or {}


def _read_json(path: Path) -> Any:
    """What the file holds; None if there is no such file."""
    if not path.is_file():
        return None
    try:
        found = plain_json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelReferenceError(
            expected=f"JSON in {path}",
            got=str(error),
            consequence="no model was loaded",
            remedy="train, copy or fetch the model again",
        ) from error
    return found
