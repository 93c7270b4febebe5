"""Every command of docs/leaf.md runs as it stands, with tiny models and data behind its capital names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from rankdistill.losses import ALIGNMENTS
from tests.cli.guides import commands
from tests.cli.verb import Run

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "leaf.md"
CHEAP = {"train": ["--steps", "2"], "bundle": ["--no-onnx"]}
"""What is added to a verb here, to be done in seconds; `bundle` with ONNX files has tests of its own."""


def test_the_commands_of_the_leaf_guide_run_one_after_the_other(
    rankdistill: Run, tiny_beir: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for kind, name in (("query", "questions"), ("document", "pages")):
        (tmp_path / f"{name}.txt").write_text(f"an old {kind} of stone\na slow {kind} of glass\n")
    small_recipe(tmp_path, tiny_encoder)
    stands_for = {"DIR": str(tiny_beir), "TEACHER": tiny_encoder, "0,5": "0,2"}
    assert len(commands(GUIDE)) > 15
    for line in commands(GUIDE):
        verb, *words = shlex.split(line)[1:]
        words = [stands_for.get(word, word.replace("=DIR", f"={tiny_beir}")) for word in words]
        status, shown = rankdistill(verb, *words, *CHEAP.get(verb, []))
        assert status == 0, f"{line}: {shown}"


def small_recipe(folder: Path, encoder: str) -> None:
    """The recipe that the guide runs, beside it, with a tiny model."""
    content = yaml.safe_load((ROOT / "recipes" / "leaf_scifact.yaml").read_text())
    content["teacher"]["model"] = encoder
    content["train"] |= {"steps": 2, "held_out": 8, "max_document_length": 32}
    content["students"]["two layers"] |= {"model": encoder, "keep_layers": [0, 2]}
    content["bundle"] = {"onnx": False}
    (folder / "recipes").mkdir()
    (folder / "recipes" / "leaf_scifact.yaml").write_text(yaml.safe_dump(content))


def test_the_files_that_the_guide_names_are_there() -> None:
    named = re.findall(r"`((?:benchmarks|recipes)/[\w/]+\.yaml)`", GUIDE.read_text(encoding="utf-8"))
    named += re.findall(r"\((docs/\w+\.md)\)", GUIDE.read_text(encoding="utf-8"))
    assert named
    assert not [name for name in named if not (ROOT / name).is_file()]


def test_every_loss_on_embeddings_is_in_the_guide() -> None:
    assert {f"| `{name}` |" for name in ALIGNMENTS} <= set(re.findall(r"^\| `\w+` \|", GUIDE.read_text(), re.MULTILINE))
