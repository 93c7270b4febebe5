"""rankdistill: distil expensive rankers and embedders into small, fast retrievers, and prove it.

The public names below are imported on first use, so `import rankdistill` loads no torch, faiss or transformers.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME_OF = {
    "RankdistillError": "rankdistill.errors",
}
"""Public name -> module that defines it."""

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'rankdistill' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
