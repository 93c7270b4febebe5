"""What docs/multi_vector.md says is so: names, tables and settings. `tests/test_guides.py` runs what it prints."""

from __future__ import annotations

import re
from pathlib import Path

from rankdistill.indexing import registry
from rankdistill.training.config import TrainConfig

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "multi_vector.md"


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
