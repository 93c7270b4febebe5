"""Every command of docs/mining.md runs as it stands, with tiny models and data behind its capital names."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml

from rankdistill.fusion import METHODS
from rankdistill.indexing.sources import KINDS
from rankdistill.mining import candidates
from rankdistill.recipe.scores.mining import MinePart
from rankdistill.training.config import TrainConfig
from tests.cli.guides import commands
from tests.cli.verb import Run

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "mining.md"
CHEAP = {"train": ["--steps", "2"], "evaluate": ["--backend", "torch"]}


def test_the_commands_of_the_mining_guide_run_one_after_the_other(
    rankdistill: Run,
    tiny_beir: Path,
    tiny_encoder: str,
    tiny_cross_encoder: str,
    tiny_splade: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"DIR": str(tiny_beir), "MODEL": tiny_encoder, "TEACHER": tiny_cross_encoder, "SPARSE": tiny_splade}
    for name, left_out in (("LOG", ["qrels"]), ("PARTLY", ["t*.tsv"]), ("DOCUMENTS", ["qrels", "queries.jsonl"])):
        names[name] = str(tmp_path / name.lower())
        shutil.copytree(tiny_beir, names[name], ignore=shutil.ignore_patterns(*left_out))
    said = {}
    for line in commands(GUIDE):
        words = [re.sub(r"\b[A-Z]+$", lambda found: names.get(found[0], found[0]), word) for word in shlex.split(line)]
        verb, *rest = words[1:]
        unchecked = ["--no-check"] if verb == "train" and "--store" in rest else []
        status, said[line] = rankdistill(verb, *rest, *CHEAP.get(verb, []), *unchecked)
        assert status == 0, f"{line}: {said[line]}"
    only_new_pairs_are_scored(tmp_path, next(text for line, text in said.items() if "ROUND1 --out STORE" in line))
    log = json.loads((tmp_path / "STUDENT1" / "training_log.json").read_text())
    assert set(log["view"]["negatives_by_source"]) == {"bm25", "bm25+round1", "round1"}


def only_new_pairs_are_scored(folder: Path, said: str) -> None:
    """The second round's `score` asked the teacher about what the first had not, and about nothing else."""
    first, second = (
        set(pl.DataFrame(candidates.read(folder / name)).select("query_id", "doc_id").iter_rows())
        for name in ("ROUND0", "ROUND1")
    )
    assert second - first
    assert second & first
    assert f"{len(second - first)} pairs scored" in said
    assert f"{len(second & first)} of {len(second)} pairs have a score already" in said


def blocks() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_part_of_a_recipe_is_valid_and_opens_the_sources_that_it_names() -> None:
    part = MinePart.model_validate(yaml.safe_load(blocks()[0])["mine"])
    assert [source.name for source in part.opened()] == ["bm25", "dense", "sparse"]
    assert part.choice().windows["dense"].first == 5


def test_every_source_method_and_setting_is_in_the_guide() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w[\w-]*)(?::\w+)?` \|", text, re.MULTILINE)) == {*KINDS, *METHODS}
    settings = re.findall(r"^(\w+):", blocks()[1], re.MULTILINE)
    assert set(settings) < set(TrainConfig.model_fields)
    assert len(settings) == 7
