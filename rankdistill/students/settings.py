"""Every setting of how a student is made before it is trained, typed and described. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rankdistill.inference.storage import Storage
from rankdistill.students import word_list

LayerRule = Literal["first", "last", "even", "search"]
Narrowing = Literal["rotate", "prune"]
Projection = Literal["auto", "always", "never"]
Pooling = Literal["mean", "cls", "max", "lasttoken"]
Weighting = Literal["sif", "uniform"]
Layer = Annotated[int, Field(ge=0)]


class StaticSettings(BaseModel):
    """Settings of a static student: a table of token vectors, whose mean is the embedding."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    words: int | None = Field(
        default=None,
        ge=0,
        description="Whole words added to the vocabulary, the most frequent of the store's texts; None: 20,000 for a "
        "WordPiece tokeniser, 0 for any other.",
    )
    min_count: int = Field(
        default=10, ge=1, description="Texts a word must be in to be fitted; see `rare_words` for the others."
    )
    rare_words: int = Field(
        default=0,
        ge=0,
        description="Further words of the store's texts, the most frequent first, that are added after the fit: their "
        "rows are where the map puts the teacher's vector of the word.",
    )
    word_list: str | None = Field(
        default=None,
        description="File of more such words, one a line, that no text need have: a dictionary, a glossary, the words "
        "of the collection that will be searched.",
    )
    rare_weight: float = Field(
        default=1.5,
        gt=0,
        allow_inf_nan=False,
        description="Length of their rows, in lengths of a fitted rare token's row.",
    )
    weighting: Weighting = Field(
        default="sif", description="First weight of a token: smooth inverse frequency a / (a + p), or 1 for all."
    )
    sif: float = Field(default=1e-2, gt=0, allow_inf_nan=False, description="The a of the smooth inverse frequency.")
    principal: int = Field(
        default=0, ge=0, description="Principal directions of the token vectors that are removed before the weights."
    )
    fit: bool = Field(
        default=True,
        description="Fit the table to the store's vectors by least squares: a map of all rows, then the rows.",
    )
    map_ridge: float = Field(
        default=1e-3, gt=0, allow_inf_nan=False, description="Ridge of the map, against unit variance."
    )
    ridge: float = Field(
        default=0.01, gt=0, allow_inf_nan=False, description="How strongly the fit holds a row to where the map put it."
    )
    texts: int = Field(default=200_000, ge=1, description="Texts of the store that are read, evenly spaced over it.")
    dimension: int | None = Field(
        default=None,
        ge=1,
        description="Length of a row, with a linear layer into the teacher's dimension behind the mean; None: the "
        "teacher's, without one.",
    )

    @property
    def adds_words(self) -> bool:
        """Whether words are added after the fit."""
        return bool(self.rare_words) or self.word_list is not None


class StudentSettings(BaseModel):
    """Settings of a student that is to live in its teacher's space."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    keep_layers: tuple[Layer, ...] | LayerRule | None = Field(
        default=None,
        description="Encoder layers to keep, from 0, or a rule that chooses `layers` of them: the first, the last, "
        "evenly spaced, or by training-free search; None: all.",
    )
    layers: int | None = Field(default=None, ge=1, description="How many layers a rule chooses.")
    hidden_size: int | None = Field(default=None, ge=1, description="Narrower hidden size; None: the model's own.")
    narrowing: Narrowing = Field(
        default="rotate",
        description="How it is narrowed: onto the principal directions of its activations, or by dropping units.",
    )
    vocabulary: int | None = Field(
        default=None,
        ge=1,
        description="Tokens to keep: those that the texts use most, and the pieces that any text falls back to; of a "
        "static student, its rows; None: all.",
    )
    storage: Storage = Field(
        default="float32",
        description="How weights are written: whole, in halves, or tables as 8 or 4 bits and the rest in halves "
        "(int4: static students only). Saved students load with sentence-transformers alone.",
    )
    max_mb: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Megabytes (10^6 bytes) that the student's files may take; what is not set of layers, hidden size, "
        "vocabulary and storage (static: rows, dimension, storage) is chosen so that it fits; None: nothing is.",
    )
    size_candidates: int = Field(
        default=3, ge=1, description="With max_mb: shapes that are trained briefly, the nearest after their fit."
    )
    size_share: float = Field(
        default=0.1, gt=0, le=1, description="With max_mb: share of the steps that each of them is trained for."
    )
    projection: Projection = Field(
        default="auto",
        description="A linear layer behind the pooling: unless the student is the teacher itself, uncut (auto); "
        "always; never.",
    )
    bias: bool = Field(default=True, description="Whether that layer has a bias.")
    fit: bool = Field(default=True, description="Start that layer at the ridge regression of the teacher's vectors.")
    ridge: float = Field(
        default=1e-3, gt=0, allow_inf_nan=False, description="Strength of that ridge, against unit variance."
    )
    sample: int = Field(default=2000, ge=8, description="Texts of the store that the fit and the layer search look at.")
    pooling: Pooling = Field(
        default="mean", description="How token vectors become one, for a plain transformers encoder only."
    )
    max_length: int | None = Field(default=None, ge=4, description="Tokens a text is cut to; None: the model's own.")
    static: StaticSettings = Field(
        default=StaticSettings.model_validate({}), description="Settings of the student `static`."
    )

    @model_validator(mode="after")
    def _rule_has_a_count(self) -> StudentSettings:
        if isinstance(self.keep_layers, str) != (self.layers is not None):
            raise ValueError("a rule in keep_layers (first, last, even, search) and the number in layers go together")
        return self

    @model_validator(mode="after")
    def _further_words_have_room(self) -> StudentSettings:
        if self.static.adds_words and (self.vocabulary is not None or self.max_mb is not None):
            raise ValueError(
                "static: rare_words and word_list add rows beyond those that vocabulary or max_mb count; give one or "
                "the other"
            )
        return self

    def decisive(self) -> dict[str, Any]:
        """The settings that decide the student, as JSON values; those of its size only where they are given.

        Raises:
            DataError: the static student's word list cannot be read.
        """
        found = self.model_dump(mode="json")
        for name in ("vocabulary", "storage", "max_mb"):
            if found[name] == StudentSettings.model_fields[name].default:
                del found[name]
        if self.max_mb is None:
            del found["size_candidates"], found["size_share"]
        if self.static.dimension is None:
            del found["static"]["dimension"]
        if not self.static.adds_words:
            del found["static"]["rare_words"], found["static"]["word_list"], found["static"]["rare_weight"]
        elif self.static.word_list is not None:
            found["static"]["word_list"] = word_list.identity(Path(self.static.word_list))
        return found
