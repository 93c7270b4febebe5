"""What docs/multi_vector.md shows runs as it stands, with tiny models and data behind its capital names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from rankdistill.evaluation import run_files
from rankdistill.indexing import registry
from rankdistill.training.config import TrainConfig
from tests.cli.guides import commands
from tests.cli.test_train import store
from tests.cli.verb import Run

__all__ = ["store"]  # a fixture

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "multi_vector.md"
CHEAP = {"train": ["--steps", "2", "--batch-size", "2"]}
"""What is added to a verb here, to be done in seconds."""


def test_the_commands_run_one_after_the_other_and_then_the_program(
    rankdistill: Run,
    tiny_beir: Path,
    store: Path,
    tiny_encoder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"DIR": str(tiny_beir), "STORE": str(store), "MODEL": tiny_encoder, "0,5": "0,2"}
    for line in commands(GUIDE):
        verb, *words = [names.get(word, word) for word in shlex.split(line)[1:]]
        status, shown = rankdistill(verb, *words, *CHEAP.get(verb, []))
        assert status == 0, f"{line}: {shown}"
    assert {"train", "index", "search", "evaluate", "rerank"} == {line.split()[1] for line in commands(GUIDE)}

    (program,) = re.findall(r"```python\n(.+?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    found: dict[str, Any] = {}
    exec(program.replace('"DIR"', repr(str(tiny_beir))), found)
    before, after = (run_files.read(run_files.find(Path(name))) for name in ("FIRST", "RERANKED"))
    assert [system.name for system in found["reranked"].systems] == ["BM25", "STUDENT on BM25"]
    assert {query: scores.keys() for query, scores in after.items()} == {
        query: scores.keys() for query, scores in before.items()
    }
    for query, scores in after.items():
        assert set(scores.values()).isdisjoint(before[query].values())


def test_every_back_end_and_setting_that_the_guide_names_is_there() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    table = text.split("| back end |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)) == set(registry.BACKENDS["multi_vector"])
    assert {"token_dimension", "contrastive_scale", "max_document_length", "pair_width"} <= set(
        TrainConfig.model_fields
    ) & set(re.findall(r"`(\w+)[`:]", text))
    for name in registry.BACKENDS["multi_vector"]:
        backend = registry.named("multi_vector", name)
        for parameter in (*backend.build_parameters, *(backend.search_parameters or ())):
            assert f"`{parameter}`" in text or f"{parameter}=" in text
