"""What docs/mining.md says is so: names, tables and settings. `tests/test_guides.py` runs what it prints."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from rankdistill.fusion import METHODS
from rankdistill.indexing.sources import KINDS
from rankdistill.recipe.scores.mining import MinePart
from rankdistill.training.config import TrainConfig

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "mining.md"


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
