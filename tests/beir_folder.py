"""BEIR folders that tests write."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path


def beir_folder(
    root: Path,
    documents: Mapping[str, str],
    queries: Mapping[str, str],
    qrels: Mapping[str, Sequence[tuple[str, str, int]]],
) -> Path:
    """`root`, filled with documents and queries (id -> text) and the (query, document, label) rows of each split."""
    (root / "qrels").mkdir(parents=True)
    for name, texts in (("corpus", documents), ("queries", queries)):
        lines = [json.dumps({"_id": known, "text": text}, ensure_ascii=False) for known, text in texts.items()]
        (root / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for split, rows in qrels.items():
        lines = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in rows)]
        (root / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root
