"""Which tokens of a tokeniser stay when it is cut to a size, and what its file says then.

Tokens that the texts use most stay, with the pieces that any text falls back to: single characters, bytes, special and
added tokens. So a text whose tokens all stay is cut as before, another one into smaller pieces, and no text has an
unknown token that it did not have. That holds for WordPiece (the longest piece from the left), BPE (a token stays with
the merges that make it) and Unigram (the most probable pieces; their probabilities stay as they are).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.students.merges import Merges

KINDS = ("WordPiece", "BPE", "Unigram")
BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
FIRST_IDS = 16
"""A padding token below this id keeps it: encoders of RoBERTa's kind count their positions from there."""

Specification = dict[str, Any]
"""What `tokenizer.json` holds."""


@dataclass(frozen=True)
class Kept:
    """The tokens of a smaller tokeniser, by their new ids.

    Args:
        names: the tokens.
        rows: for each, the old ids whose vectors it gets the mean of: its own, or, of a single character that the
            tokeniser did not have as a token, those of the tokens with it.
        inside: how many of them the tokeniser's model holds; the others are added tokens.
    """

    names: Sequence[str]
    rows: Sequence[Sequence[int]]
    inside: int

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Token -> new id."""
        return {name: number for number, name in enumerate(self.names)}


class Cutter:
    """Cuts a tokeniser to a number of tokens; see the module.

    Args:
        specification: of the whole tokeniser.
        padding: id of its padding token.

    Raises:
        ModelReferenceError: a tokeniser of another kind.
    """

    def __init__(self, specification: Specification, padding: int | None = None) -> None:
        self._specification, self._model = specification, specification["model"]
        self._kind = _kind(specification)
        unigram = self._kind == "Unigram"
        vocabulary = self._model["vocab"]
        self._ids: dict[str, int] = (
            {name: number for number, (name, _) in enumerate(vocabulary)} if unigram else vocabulary
        )
        added = {token["id"]: token["content"] for token in specification["added_tokens"]}
        self._names = {number: name for name, number in self._ids.items()} | added
        self._prefix = self._model.get("continuing_subword_prefix") or ""
        self._suffix = self._model.get("end_of_word_suffix") or ""
        self._always = {*added, *self._fallbacks()}
        if padding is not None and padding < FIRST_IDS:
            self._always |= set(range(padding + 1)) & self._names.keys()
        self._missing = self._absent_characters()
        self._merges = Merges(self._model, self._ids) if self._kind == "BPE" else None
        self._scores: dict[str, float] = dict(vocabulary) if unigram else {}
        self._last: tuple[NDArray[np.int64], list[int]] | None = None

    @property
    def whole(self) -> int:
        """Tokens of the whole tokeniser."""
        return len(self._names)

    @property
    def smallest(self) -> int:
        """Tokens that stay in any case."""
        return len(self._always) + len(self._missing)

    def keep(self, counts: NDArray[np.int64], size: int) -> Kept:
        """The `size` tokens that stay: those that must, then the most counted, then those of the lowest id.

        Args:
            counts: of each old id.
            size: how many; a BPE tokeniser may have a few less, as a token comes with those that it is merged from.

        Raises:
            ConfigError: more must stay.
        """
        if size < self.smallest:
            raise ConfigError(
                expected=f"a vocabulary of {self.smallest:,} tokens at least: single characters, bytes and special "
                "tokens, without which some texts could not be read",
                got=f"{size:,}",
                consequence="no token was removed",
                remedy=f"set vocabulary to {self.smallest} or more, or take a student with fewer such tokens",
            )
        kept, room = set(self._always), size - len(self._missing)
        ranked = self._ranked(counts)
        if self._merges is None:
            kept.update(ranked[: room - len(kept)])
            return self._numbered(sorted(kept))
        for token in ranked:
            if len(kept) >= room:
                break
            needed = self._merges.parts(token) - kept
            if len(kept) + len(needed) <= room:
                kept |= needed
        return self._numbered(sorted(kept))

    def written(self, kept: Kept) -> Specification:
        """What `tokenizer.json` holds for the tokens `kept`."""
        model, ids = dict(self._model), kept.ids
        inside = kept.names[: kept.inside]
        if self._kind == "Unigram":
            lowest = min(self._scores.values())
            model["vocab"] = [[name, self._scores.get(name, lowest)] for name in inside]
            if model.get("unk_id") is not None:
                model["unk_id"] = ids[self._model["vocab"][model["unk_id"]][0]]
        else:
            model["vocab"] = {name: ids[name] for name in inside}
        if self._merges is not None:
            model["merges"] = self._merges.among(model["vocab"])
        added = [token | {"id": ids[token["content"]]} for token in self._specification["added_tokens"]]
        found = self._specification | {"model": model, "added_tokens": added}
        found["post_processor"] = _renumbered(found.get("post_processor"), ids)
        if found.get("padding"):
            found["padding"] = found["padding"] | {"pad_id": ids[found["padding"]["pad_token"]]}
        return found

    def _ranked(self, counts: NDArray[np.int64]) -> list[int]:
        """The tokens that may go, the most counted first, then by id."""
        if self._last is None or self._last[0] is not counts:  # asked for many sizes, one after the other
            known = np.array(sorted(self._names.keys() - self._always), dtype=np.int64)
            weights = np.zeros(max(self._names) + 1, dtype=np.int64)
            weights[: len(counts)] = counts[: len(weights)]
            self._last = counts, known[np.argsort(-weights[known], kind="stable")].tolist()
        return self._last[1]

    def _numbered(self, kept: Sequence[int]) -> Kept:
        """In the order of the old ids; new tokens after those of the model, before those that are added to it."""
        outside = {number for number in kept if self._names[number] not in self._ids}
        own = [number for number in kept if number not in outside]
        named = [(self._names[number], [number]) for number in own]
        named += list(self._missing.items())
        named += [(self._names[number], [number]) for number in sorted(outside)]
        return Kept([name for name, _ in named], [rows for _, rows in named], inside=len(named) - len(outside))

    def _fallbacks(self) -> set[int]:
        """The tokens of the model that any text falls back to."""
        found = {number for name, number in self._ids.items() if len(self._bare(name)) <= 1 or BYTE.fullmatch(name)}
        if self._kind != "Unigram":
            unknown = self._model.get("unk_token")
            return found | ({self._ids[unknown]} if unknown in self._ids else set())
        unknown = self._model.get("unk_id")
        # The least probable one too: what an unknown character costs is counted from it.
        lowest = min(self._model["vocab"], key=lambda piece: piece[1])[0]
        return found | {self._ids[lowest]} | ({unknown} if unknown is not None else set())

    def _absent_characters(self) -> dict[str, list[int]]:
        """Single characters that are in tokens, but are none themselves -> the tokens with them."""
        found: dict[str, list[int]] = {}
        if self._kind == "BPE" or self._model.get("byte_fallback"):
            return found
        longer = (name for name, number in self._ids.items() if number not in self._always)
        if not self._prefix and set("".join(longer)) <= self._ids.keys():
            return found
        for name, number in self._ids.items():
            if number not in self._always:
                inner = bool(self._prefix) and name.startswith(self._prefix)
                for place, letter in enumerate(self._bare(name)):
                    single = self._prefix + letter if inner or place else letter
                    if single not in self._ids:
                        found.setdefault(single, []).append(number)
        return dict(sorted(found.items()))

    def _bare(self, name: str) -> str:
        """The token without what says that it goes on or ends a word."""
        if not (self._prefix or self._suffix):
            return name
        bare = name.removeprefix(self._prefix) if name != self._prefix else name
        return bare.removesuffix(self._suffix) if self._suffix and bare != self._suffix else bare


def _kind(specification: Specification) -> str:
    model = specification["model"]
    kind = model.get("type") or ("BPE" if "merges" in model else "Unigram" if isinstance(model["vocab"], list) else "")
    if kind in KINDS:
        return str(kind)
    raise ModelReferenceError(
        expected=f"a tokeniser of one of the kinds {', '.join(KINDS)}",
        got=f"a {kind or 'nameless'} tokeniser",
        consequence="what its texts become without a token is unknown, so no token was removed",
        remedy="leave the vocabulary as it is, or take another student",
    )


def _renumbered(part: Any, ids: Mapping[str, int]) -> Any:
    """A post-processor with the new ids of the tokens that it puts around texts."""
    if not isinstance(part, dict):
        return part
    found = dict(part)
    if part.get("type") == "Sequence":
        found["processors"] = [_renumbered(one, ids) for one in part["processors"]]
    for name in ("sep", "cls"):
        if isinstance(part.get(name), list):
            found[name] = [part[name][0], ids[part[name][0]]]
    if "special_tokens" in part:
        found["special_tokens"] = {
            name: one | {"ids": [ids[token] for token in one["tokens"]]} for name, one in part["special_tokens"].items()
        }
    return found
