"""The bytes of a store's files, whatever the clock said while they were made."""

from __future__ import annotations

import json
from pathlib import Path

from rankdistill.stores import times


def unclocked(path: Path) -> bytes:
    """What the file holds; of the seconds of shards, which shards have some: processes that were killed have others."""
    if path.name != times.FILE_NAME:
        return path.read_bytes()
    held = json.loads(path.read_bytes())["content"]
    return json.dumps({teacher: sorted(seconds) for teacher, seconds in held.items()}, sort_keys=True).encode()
