"""A command that is killed with SIGKILL right before its n-th change to a folder, and what it left.

Changes are what Python does to files and folders below: opening for writing, renaming, making, removing, changing
rights. What a library in another language writes lies between two of them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

LOCK, TEMPORARY = ".lock", ".tmp-"

PROGRAM = """
import os, signal, sys

folder, at, counted = sys.argv[1], int(sys.argv[2]), sys.argv[3]
sys.argv[1:4] = []
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
count = 0

def below(path):
    if isinstance(path, int) or path is None:
        return False
    return os.path.abspath(os.fsdecode(path)).startswith(folder)

def hook(event, args):
    global count
    if event in CHANGES:
        changes = any(below(path) for path in args[: 2 if event in ("os.rename", "os.link") else 1])
    else:
        changes = event == "open" and bool((args[2] or 0) & WRITES) and below(args[0])
    if changes:
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
from rankdistill.cli.main import main
try:
    main()
finally:
    written = count
    with open(counted, "w") as stream:
        stream.write(str(written))
"""
"""A program whose words are the folder (absolute), the number of the change (0: none), a file for the count of all
changes, and the command's own words."""


def contents(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of every file below but locks, which the next command takes."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != LOCK
    }
