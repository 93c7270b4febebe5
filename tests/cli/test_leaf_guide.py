"""What docs/leaf.md says is so: names, tables and settings. `tests/test_guides.py` runs what it prints."""

from __future__ import annotations

import re
from pathlib import Path

from rankdistill.losses import ALIGNMENTS

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "leaf.md"


def test_the_files_that_the_guide_names_are_there() -> None:
    named = re.findall(r"`((?:benchmarks|recipes)/[\w/]+\.yaml)`", GUIDE.read_text(encoding="utf-8"))
    named += re.findall(r"\((docs/\w+\.md)\)", GUIDE.read_text(encoding="utf-8"))
    assert named
    assert not [name for name in named if not (ROOT / name).is_file()]


def test_every_loss_on_embeddings_is_in_the_guide() -> None:
    assert {f"| `{name}` |" for name in ALIGNMENTS} <= set(re.findall(r"^\| `\w+` \|", GUIDE.read_text(), re.MULTILINE))
