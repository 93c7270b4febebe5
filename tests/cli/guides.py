"""The guides under docs/, as the tests that run their commands read them."""

from __future__ import annotations

import re
from pathlib import Path


def commands(guide: Path) -> list[str]:
    """The command lines of a guide, in their order."""
    return re.findall(r"^    (rankdistill .+)$", guide.read_text(encoding="utf-8"), re.MULTILINE)
