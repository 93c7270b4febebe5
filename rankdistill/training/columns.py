"""Text columns as tokens: what a trainer's collator makes of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator

from rankdistill.errors import ConfigError
from rankdistill.inference.prompts import Role, default_prompt, prompt_of
from rankdistill.training.batch import Collator
from rankdistill.training.config import TrainConfig
from rankdistill.training.embedding import Features

QUERY = "query"


def text_collator(student: Any, columns: Sequence[str], config: TrainConfig) -> Collator:
    """Tokenises each column with the prompt and the length that its texts will be encoded with."""
    tasks: dict[str, Role] = {column: "query" if column == QUERY else "document" for column in columns}
    limits = {"query": config.max_query_length, "document": config.max_document_length}
    prompts = {column: prompt_of(student, task) for column, task in tasks.items()}
    return SentenceTransformerDataCollator(
        preprocess_fn=student.preprocess,
        router_mapping=tasks,
        prompts={column: prompt for column, prompt in prompts.items() if prompt},
        max_length={task: limit for task, limit in limits.items() if limit is not None},
    )


@dataclass(frozen=True)
class PairCollator:
    """Tokenises the query with each of its documents: one column a document.

    Args:
        student: a `CrossEncoder`.
        max_length: tokens of a pair; None: the model's own limit.
    """

    student: Any
    max_length: int | None

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch: `<column>_input_ids`, ... of each document column, and `label`."""
        limit = {} if self.max_length is None else {"max_length": self.max_length}
        prompt = default_prompt(self.student)
        batch: dict[str, Any] = {"label": torch.tensor([row["label"] for row in rows])}
        for column in (name for name in rows[0] if name not in (QUERY, "label")):
            pairs = [(row[QUERY], row[column]) for row in rows]
            for name, value in self.student.preprocess(pairs, prompt=prompt, **limit).items():
                batch[f"{column}_{name}"] = value
        return batch


def split(batch: dict[str, Any], columns: Sequence[str]) -> list[Features]:
    """The features of each of `columns` that the batch has, without the column's name; as the trainer splits them."""
    found = [
        {name.removeprefix(f"{column}_"): value for name, value in batch.items() if name.startswith(f"{column}_")}
        for column in columns
    ]
    return [features for features in found if features]


def documents_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The documents of all rows, row by row, each row's positive first."""
    return [text for row in rows for name, text in row.items() if name not in (QUERY, "label")]


def first_column(batch: Mapping[str, Any]) -> str:
    """What the names of the first column's tokens begin with: whatever else begins so goes with that column."""
    return next(name for name in batch if name.endswith("_input_ids")).removesuffix("input_ids")


def pad_token(student: Any) -> int:
    """The token that the student's tokeniser pads with, on the right; any for a token table, which pads nothing.

    Raises:
        ConfigError: it pads on the left.
    """
    from transformers import PreTrainedTokenizerBase

    tokenizer = student.tokenizer
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        return 0
    if tokenizer.padding_side != "right":
        raise ConfigError(
            expected="a student whose tokeniser pads on the right",
            got=f"padding side {tokenizer.padding_side!r}",
            consequence="texts would be cut at the wrong end",
            remedy="save the student with padding_side right, or take another one",
        )
    return int(tokenizer.pad_token_id)
