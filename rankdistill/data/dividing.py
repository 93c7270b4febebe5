"""Putting judged queries aside: some of a split become splits of their own, by the hash of what they say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from rankdistill import manifest
from rankdistill.data.beir import Dataset
from rankdistill.data.meta import Meta
from rankdistill.data.writer import ARTEFACT, Collection, write_beir
from rankdistill.errors import ConfigError, DataError
from rankdistill.records import Query


def divided(dataset: Dataset, split: str, sizes: Mapping[str, int]) -> dict[str, list[str]]:
    """Split -> ids of the queries of `split` that belong there; what is not put aside stays in `split`.

    The hash of a query's text decides, so that queries which say the same come together, and more documents or
    other splits change nothing. A split may get a few more than asked for.

    Args:
        dataset: the collection.
        split: whose queries are divided.
        sizes: further split -> how many queries it gets.

    Raises:
        ConfigError: a further split is there already.
        DataError: no such split, or too few queries to put so many aside.
    """
    if twice := [name for name in sizes if name in dataset.splits]:
        raise ConfigError(
            expected="splits to put queries aside for that the collection has not",
            got=f"{twice[0]!r}, which it has",
            consequence="nothing was divided: two sets of queries would have one name",
            remedy=f"leave it out, and the collection's own {twice[0]} is kept",
        )
    alike: dict[bytes, list[str]] = {}
    for query_id, text in dataset.queries(split).items():
        alike.setdefault(hashlib.sha256(" ".join(text.lower().split()).encode()).digest(), []).append(query_id)
    order = [alike[key] for key in sorted(alike)]
    found: dict[str, list[str]] = {}
    for name, size in sizes.items():
        found[name] = []
        while order and len(found[name]) < size:
            found[name] += order.pop(0)
    found[split] = [query_id for group in order for query_id in group]
    if any(len(found[name]) < size for name, size in sizes.items()) or not found[split]:
        raise DataError(
            expected=f"more than {sum(sizes.values())} judged queries in {split!r} of {dataset.path}",
            got=f"{len(dataset.queries(split))}",
            consequence="nothing was divided: none would be left",
            remedy="put fewer aside",
        )
    return found


def divide(dataset: Dataset, out: Path, split: str, sizes: Mapping[str, int], command: str = "") -> bool:
    """Write the collection into `out` with some queries of `split` put aside; False if it is there already.

    Args:
        dataset: the collection; its other splits and its queries without judgements come along.
        out: the folder.
        split: whose queries are divided.
        sizes: further split -> how many queries it gets.
        command: the command line, for the manifest.

    Raises:
        ConfigError, DataError: see `divided`.
        StaleOutputError, OutputError: `out` holds something else.
    """
    parts = divided(dataset, split, sizes)
    qrels = {name: dataset.qrels(name) for name in dataset.splits if name != split}
    judged = dataset.qrels(split)
    qrels |= {name: {query_id: judged[query_id] for query_id in ids} for name, ids in parts.items()}
    made_by = manifest.Manifest(
        ARTEFACT,
        {"dataset": dataset.fingerprint} | {f"qrels.{name}": dataset.qrels_hash(name) for name in dataset.splits},
        {
            "source": dataset.name,
            "split": split,
            "sizes": dict(sizes),
            "ignore_identical_ids": dataset.ignore_identical_ids,
        },
        {},
        command,
    )
    queries = [Query(query_id, text) for query_id, text in dataset.query_texts.items()]
    meta = Meta(dataset.ignore_identical_ids)
    return write_beir(out, lambda: Collection(dataset.documents(), queries, qrels, meta), made_by)
