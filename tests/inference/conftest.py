"""Tiny random models whose table of positions ends at 32 tokens, and whose tokenisers name no maximum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

POSITIONS = 32
FAMILIES = ("Bert", "XLMRoberta", "MPNet")
LEXICON = (
    "what",
    "is",
    "lift",
    "of",
    "a",
    "wing",
    "in",
    "flow",
    "heat",
    "transfer",
    "bake",
    "bread",
    "water",
    "violin",
)


@pytest.fixture(scope="session")
def ending(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Makes, of a family and a head ("Model", "ForSequenceClassification"), a plain transformers folder, once each."""
    made: dict[tuple[str, str], str] = {}

    def make(family: str, head: str = "Model") -> str:
        if (family, head) not in made:
            folder = tmp_path_factory.mktemp(f"{family}-{head}")
            _tokenizer().save_pretrained(folder)
            _model(family, head).save_pretrained(folder)
            made[family, head] = str(folder)
        return made[family, head]

    return make


def _model(family: str, head: str) -> Any:
    import torch
    import transformers

    rows = POSITIONS if family == "Bert" else POSITIONS + 2  # RoBERTa's and MPNet's first positions are for no token
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    special = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "max_position_embeddings": rows}
    labels = {"num_labels": 1} if head == "ForSequenceClassification" else {}
    config = getattr(transformers, f"{family}Config")(
        vocab_size=len(_tokenizer()), initializer_range=0.3, **shape, **special, **labels
    )
    torch.manual_seed(29)
    return getattr(transformers, f"{family}{head}")(config).eval()


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    words = {word: number for number, word in enumerate([*specials, *LEXICON])}
    inner = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", pad_token="<pad>", mask_token="<mask>", **names
    )
