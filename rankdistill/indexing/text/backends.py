"""The back ends of indexes of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rankdistill.indexing.backend import BM25_BOUNDS, Backend, IndexSettings
from rankdistill.indexing.base import Index
from rankdistill.indexing.lucene.backends import BM25


def _create_bm25(settings: IndexSettings, threads: int) -> Index[Sequence[str]]:
    from rankdistill.indexing.text.bm25 import Bm25Index

    return Bm25Index(**settings.build_parameters)


def _load_bm25(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> Index[Sequence[str]]:
    from rankdistill.indexing.text.bm25 import Bm25Index

    return Bm25Index.load(folder, **settings.build_parameters)


def _require_tokenizer(name: str) -> None:
    from rankdistill.mining import tokenisers

    tokenisers.named(name)


TEXT: Mapping[str, Backend] = {
    "bm25": Backend(
        _create_bm25,
        _load_bm25,
        ("k1", "b", "tokenizer"),
        build_defaults={"k1": 0.9, "b": 0.4},
        bounds=BM25_BOUNDS,
        names={"tokenizer": _require_tokenizer},
    ),
    "lucene-bm25": BM25,
}
"""Name -> back end."""
