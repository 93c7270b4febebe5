"""Which shapes of a student fit into so many bytes: layers, hidden size, vocabulary, and how its weights are stored.

What the settings say stays; what they leave open is varied. Each shape has the largest vocabulary that fits, and those
that another one surpasses in everything are left out. Bytes are bounds from above, computed without making the student.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rankdistill import files
from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.inference import storage as storing
from rankdistill.inference.saving import save_model
from rankdistill.inference.storage import Storage
from rankdistill.students import inherit, layer_search, narrow, prune
from rankdistill.students.kept_tokens import Cutter

if TYPE_CHECKING:
    from rankdistill.students.settings import StudentSettings

MEGABYTE = 10**6
WIDTHS = (1.0, 0.75, 0.5)
"""Shares of the hidden size that are tried, where the encoder can be narrowed."""
DIMENSIONS = (1.0, 0.75, 0.5, 1 / 3, 0.25)
"""Shares of the teacher's dimension that a static student's rows are tried with."""
MOST_LAYERS = 6
"""Numbers of layers that are tried at most."""
COVERED = 0.9
"""Shapes whose tokens are less than this share of the texts' are left out where others have more."""
WHOLE = 0.999
"""A vocabulary with this share of the texts' tokens is as good as whole: it needs no fewer bits."""
STEP = 1.1
"""How much more tokens the next larger vocabulary has that is written, to know the size of its file."""
FACTOR_BITS = 40
"""Of a row's factor, and what compressing may add."""
HEADER, ROOM = 160, 4096
"""Bytes for the description of a tensor in its file, and for what else a folder may hold."""
BITS: Mapping[Storage, int] = {"float32": 32, "float16": 16, "int8": 8, "int4": 4}


@dataclass(frozen=True)
class Shape:
    """One of the shapes that fit.

    Args:
        layers: encoder layers; None where they are not counted (a table, or an unknown architecture).
        width: hidden size, or numbers in a row.
        vocabulary: tokens.
        storage: how it is written.
        coverage: share of the texts' tokens that are kept.
        most_bytes: what its files take at most.
        changes: the settings of `StudentSettings` that make it.
    """

    layers: int | None
    width: int
    vocabulary: int
    storage: Storage
    coverage: float
    most_bytes: int
    changes: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        """What its files and the log call it."""
        depth = "" if self.layers is None else f"{self.layers}layers-"
        return f"{depth}{self.width}wide-{self.vocabulary}tokens-{self.storage}"

    def applied(self, settings: StudentSettings) -> StudentSettings:
        """The settings of a student of this shape."""
        changes = dict(self.changes)
        static = settings.static.model_copy(update=changes.pop("static", {}))
        return settings.model_copy(update=changes | {"static": static, "storage": self.storage, "max_mb": None})

    def surpasses(self, other: Shape) -> bool:
        """Whether it is nowhere less than `other`, and somewhere more."""
        mine, theirs = self._measures(), other._measures()
        return mine != theirs and all(one >= another for one, another in zip(mine, theirs, strict=True))

    def _measures(self) -> tuple[float, ...]:
        bits = BITS[self.storage] if self.layers is None else 0  # of layers, all are stored alike
        return (self.layers or 0, self.width, round(min(self.coverage, WHOLE), 4), bits)


class Vocabulary:
    """How many tokens fit, and what they cover.

    Args:
        cutter: of the tokeniser.
        counts: of the texts' tokens.
        wanted: tokens that the settings ask for; None: as many as fit.
        spaced: whether `tokenizer.json` is written with spaces.
    """

    def __init__(self, cutter: Cutter, counts: NDArray[np.int64], wanted: int | None, spaced: bool) -> None:
        self.smallest, self.whole = cutter.smallest, cutter.whole
        if wanted is not None:
            self.smallest = self.whole = min(wanted, cutter.whole)
        self._cutter, self._counts = cutter, counts
        self._form: dict[str, Any] = {"indent": 2} if spaced else {"separators": (",", ":")}
        many = math.ceil(math.log(self.whole / self.smallest) / math.log(STEP)) + 1
        self._sizes = np.unique(np.geomspace(self.smallest, self.whole, many).round().astype(int)).tolist()
        self._bytes: dict[int, int] = {}

    def file_bytes(self, size: int) -> int:
        """Bytes of `tokenizer.json` with so many tokens, at most: those of the next larger one that was written."""
        place = bisect_left(self._sizes, size)
        written = self._sizes[min(place, len(self._sizes) - 1)]
        if written not in self._bytes:
            content = self._cutter.written(self._cutter.keep(self._counts, written))
            self._bytes[written] = len(json.dumps(content, ensure_ascii=False, **self._form).encode()) + 1
        return self._bytes[written]

    def coverage(self, size: int) -> float:
        """Share of the texts' tokens that are among so many."""
        kept = self._cutter.keep(self._counts, size)
        own = [rows[0] for rows in kept.rows if len(rows) == 1 and rows[0] < len(self._counts)]
        return float(self._counts[own].sum() / max(1, self._counts.sum()))

    def most(self, room: int, bits: int) -> int | None:
        """The most tokens that `room` bytes hold, with a row of so many bits for each; None: not even the fewest."""

        def needed(size: int) -> int:
            return size * bits // 8 + self.file_bytes(size)

        place = bisect_right(self._sizes, room, key=needed)
        if not place or place == len(self._sizes):
            return self._sizes[-1] if place else None
        between = (room - self.file_bytes(self._sizes[place])) * 8 // bits
        return max(self._sizes[place - 1], min(between, self._sizes[place] - 1))


def of_encoder(
    model: Any,
    settings: StudentSettings,
    texts: Iterable[str],
    limit: int,
    dimension: int | None,
    narrower: bool = True,
) -> list[Shape]:
    """The shapes of a student that there is, with layers or a table, whose files take at most `limit` bytes.

    Args:
        model: what they are cut from; left as it is.
        settings: what stays as it is said.
        texts: whose tokens are counted.
        limit: bytes.
        dimension: length of the vectors behind a linear layer; None: there is none.
        narrower: whether the hidden size may become less.

    Raises:
        ConfigError: no shape fits; the smallest is named.
        ModelReferenceError: the tokeniser or the architecture is not known.
    """
    if storing.is_table(model[0]):
        row, counts = int(model[0].embedding_dim), prune.counted(model, texts)
        length = int(model.get_embedding_dimension())
        return of_table(prune.opened(model), settings, counts, limit, length, row)
    storages = _storages(model, settings)
    counts = prune.counted(model, texts)
    words = Vocabulary(prune.opened(model), counts, settings.vocabulary, "float32" in storages)
    beside = _beside(model, "float32" not in storages)
    found, least = [], math.inf
    for layers, width, changes in _cuts(model, settings, narrower):
        numbers, row, tensors = _numbers(model, layers, width)
        if dimension is not None:
            numbers, tensors = numbers + width * dimension + dimension, tensors + 2
        fitting = []
        for storage in storages:
            fixed = numbers * (4 if storage == "float32" else 2) + beside + HEADER * tensors + ROOM
            bits = row * BITS[storage]
            least = min(least, fixed + words.smallest * bits / 8 + words.file_bytes(words.smallest))
            tokens = words.most(limit - fixed, bits)
            if tokens is not None:
                kept = changes | ({"vocabulary": tokens} if tokens < words.whole or settings.vocabulary else {})
                size = fixed + tokens * bits // 8 + words.file_bytes(tokens)
                fitting.append(Shape(layers, width, tokens, storage, words.coverage(tokens), size, kept))
        if fitting:
            found.append(next((one for one in fitting if one.coverage >= WHOLE), fitting[-1]))
    return _best(found, limit, least)


def of_table(
    cutter: Cutter,
    settings: StudentSettings,
    counts: NDArray[np.int64],
    limit: int,
    dimension: int,
    width: int | None = None,
) -> list[Shape]:
    """The shapes of a static student whose files take at most `limit` bytes; as `of_encoder`.

    Args:
        cutter: of its tokeniser.
        settings: what stays as it is said.
        counts: of the texts' tokens.
        limit: bytes.
        dimension: length of a vector; a linear layer leads there from rows that are shorter.
        width: length of a row of a table that there is; None: one is made, and may have shorter ones.

    Raises:
        ConfigError: no shape fits; the smallest is named.
    """
    given = "storage" in settings.model_fields_set
    storages: Sequence[Storage] = (settings.storage,) if given else ("float16", "int8", "int4")
    words = Vocabulary(cutter, counts, settings.vocabulary, "float32" in storages)
    fixed = width or settings.static.dimension
    widths = [fixed] if fixed is not None else sorted({max(1, round(dimension * share)) for share in DIMENSIONS})
    found, least = [], math.inf
    for short in widths:
        for storage in storages:
            layer = 0 if short == dimension else short * dimension * (4 if storage == "float32" else 2)
            bits = short * BITS[storage] + FACTOR_BITS
            least = min(least, layer + 2 * ROOM + words.smallest * bits / 8 + words.file_bytes(words.smallest))
            tokens = words.most(limit - layer - 2 * ROOM, bits)
            if tokens is not None:
                changes: dict[str, Any] = {"vocabulary": tokens}
                if short != dimension and width is None:
                    changes["static"] = {"dimension": short}
                size = layer + 2 * ROOM + tokens * bits // 8 + words.file_bytes(tokens)
                found.append(Shape(None, short, tokens, storage, words.coverage(tokens), size, changes))
    return _best(found, limit, least)


def too_large(limit: int, least: float) -> ConfigError:
    """The error of a size that nothing fits: the smallest shape takes `least` bytes."""
    smallest = math.ceil(least / MEGABYTE * 1000) / 1000
    return ConfigError(
        expected=f"room for the smallest shape of this student, {smallest:,} MB",
        got=f"max_mb {limit / MEGABYTE:g}",
        consequence="nothing was trained: no shape that it may have fits",
        remedy=f"set max_mb to {smallest} or more, leave settings of its shape open, or take a smaller student",
    )


def _best(found: Sequence[Shape], limit: int, least: float) -> list[Shape]:
    if not found:
        raise too_large(limit, least)
    least_coverage = min(COVERED, max(one.coverage for one in found))
    covering = [one for one in found if one.coverage >= least_coverage]
    return [one for one in covering if not any(other.surpasses(one) for other in covering)]


def _cuts(model: Any, settings: StudentSettings, narrower: bool) -> Iterator[tuple[int | None, int, dict[str, Any]]]:
    """(layers, width, settings) of the encoders that are tried."""
    width = int(model.transformers_model.config.hidden_size)
    for layers, kept in _depths(model, settings):
        for less in _widths(model, settings) if narrower else [None]:
            yield layers, less or width, kept | ({"hidden_size": less} if less else {})


def _depths(model: Any, settings: StudentSettings) -> list[tuple[int | None, dict[str, Any]]]:
    if settings.keep_layers is not None:
        count = settings.layers if isinstance(settings.keep_layers, str) else len(settings.keep_layers)
        return [(count, {})]
    try:
        total = inherit.layer_count(model)
    except ModelReferenceError:
        return [(None, {})]
    counts = sorted({round(count) for count in np.linspace(1, total, min(total, MOST_LAYERS))}, reverse=True)
    cut = [
        (count, {"keep_layers": tuple(layer_search.by_rule("even", total, count))}) for count in counts if count < total
    ]
    return [(total, {}), *cut]


def _widths(model: Any, settings: StudentSettings) -> list[int | None]:
    if settings.hidden_size is not None:
        return [settings.hidden_size]
    config = model.transformers_model.config
    if not narrow.is_possible(model):
        return [None]
    head = config.hidden_size // config.num_attention_heads
    sizes = {max(head, round(config.hidden_size * share / head) * head) for share in WIDTHS}
    return [None, *sorted((size for size in sizes if size < config.hidden_size), reverse=True)]


def _storages(model: Any, settings: StudentSettings) -> Sequence[Storage]:
    if "storage" in settings.model_fields_set:
        return (settings.storage,)
    try:
        storing.require_storable(model, "int8")
    except ModelReferenceError:
        return ("float16",)
    return ("float16", "int8")


def _numbers(model: Any, layers: int | None, width: int) -> tuple[int, int, int]:
    """Of an encoder of that shape: numbers outside its token table, numbers in a row of it, tensors."""
    import torch

    encoder = model.transformers_model
    config = deepcopy(encoder.config)
    if layers is not None:
        config.num_hidden_layers = layers
        if getattr(config, "layer_types", None) is not None:
            config.layer_types = config.layer_types[:layers]
    if width != config.hidden_size:
        share = width / config.hidden_size
        config.num_attention_heads = width * config.num_attention_heads // config.hidden_size
        config.intermediate_size = max(1, round(config.intermediate_size * share))
        config.hidden_size = width
    with torch.device("meta"):
        fresh = type(encoder)(config)
    table = fresh.get_input_embeddings()
    every = {id(one): one.numel() for one in fresh.parameters()}
    head = fresh.get_output_embeddings()
    row = table.embedding_dim
    outside = sum(every.values()) - table.weight.numel()
    if head is not None:
        separate = 0 if head.weight is table.weight else head.in_features
        row += separate + (1 if head.bias is not None else 0)
        outside -= head.weight.numel() if separate else 0
        outside -= head.bias.numel() if head.bias is not None else 0
    return outside, row, len(fresh.state_dict())


def _beside(model: Any, halved: bool) -> int:
    """Bytes of what is saved with `model`, its layers halved or not, but for the encoder and `tokenizer.json`."""
    from sentence_transformers.base.modules import Dense, Transformer

    with files.temporary_folder() as folder:
        save_model(model, folder)
        own = [place for module, place in storing.places(model, folder) if isinstance(module, Transformer)]
        counted = [place / file for place in own for file in (storing.TOKENISER, storing.WEIGHTS)]
        whole = storing.shipped_bytes(folder) - sum(path.stat().st_size for path in counted if path.is_file())
        if not halved:
            return whole
        layers = [
            place / storing.WEIGHTS for module, place in storing.places(model, folder) if isinstance(module, Dense)
        ]
        return whole - sum((path.stat().st_size - HEADER * 2) // 2 for path in layers if path.is_file())
