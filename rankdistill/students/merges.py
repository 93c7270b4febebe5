"""How a BPE tokeniser makes its tokens: the merges from which each comes."""

from __future__ import annotations

from collections.abc import Container, Mapping
from itertools import pairwise
from typing import Any


class Merges:
    """The merges of a BPE model.

    Args:
        model: as `tokenizer.json` holds it.
        ids: token -> id.
    """

    def __init__(self, model: Mapping[str, Any], ids: Mapping[str, int]) -> None:
        self._written = model["merges"]
        pairs = [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in self._written]
        self._ranks = {pair: rank for rank, pair in reversed(list(enumerate(pairs)))}  # the first of equal ones
        self._pairs = pairs
        self._ids = ids
        self._names = {number: name for name, number in ids.items()}
        self._prefix = model.get("continuing_subword_prefix") or ""
        self._suffix = model.get("end_of_word_suffix") or ""

    def parts(self, token: int) -> set[int]:
        """The token, and those that it is merged from when it is cut alone; of one that no merge makes, itself.

        Within a longer text a token comes about by the same merges: none of them reaches beyond it.
        """
        name = self._names.get(token)
        if name is None:
            return {token}
        symbols = self._symbols(name)
        met = {self._ids[symbol] for symbol in symbols if symbol in self._ids}
        while len(symbols) > 1:
            ranked = [(self._ranks[pair], place) for place, pair in enumerate(pairwise(symbols)) if pair in self._ranks]
            if not ranked:
                return {token}
            _, place = min(ranked)
            symbols[place : place + 2] = [self._joined(symbols[place], symbols[place + 1])]
            met.add(self._ids[symbols[place]])
        return met | {token}

    def among(self, names: Container[str]) -> list[Any]:
        """The merges whose parts and result are all among `names`, as they were written, in their order."""
        return [
            written
            for written, (left, right) in zip(self._written, self._pairs, strict=True)
            if left in names and right in names and self._joined(left, right) in names
        ]

    def _symbols(self, name: str) -> list[str]:
        """The single characters that merging starts from."""
        first = not (self._prefix and name.startswith(self._prefix))
        last = bool(self._suffix) and name.endswith(self._suffix) and name != self._suffix
        letters = [*name.removeprefix(self._prefix).removesuffix(self._suffix if last else "")]
        symbols = [letter if first and not place else self._prefix + letter for place, letter in enumerate(letters)]
        if last and symbols:
            symbols[-1] += self._suffix
        return symbols

    def _joined(self, left: str, right: str) -> str:
        return left + right.removeprefix(self._prefix)
