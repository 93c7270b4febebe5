"""A command that is killed with SIGKILL right before its n-th change to a folder, and what it left.

Changes are what Python does to files and folders below: opening for writing, renaming, making, removing, changing
rights. What a library in another language writes lies between two of them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

LOCK, TEMPORARY = ".lock", ".tmp-"
TIMES = ".times.json"

PROGRAM = """
import os, signal, sys

folder, at, counted = sys.argv[1], int(sys.argv[2]), sys.argv[3]
sys.argv[1:4] = []
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# Event -> the places of its paths, and of the open folders that these are in, if they are bare names.
CHANGES = {
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((0, 2), (1, 3)),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.chmod": ((0, 2),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
}
count = 0

def below(path, opened=None):
    if isinstance(path, int) or path is None:
        return False
    named = os.fsdecode(path)
    if isinstance(opened, int) and opened >= 0 and not os.path.isabs(named):  # as in shutil.rmtree
        named = os.path.join(os.readlink(f"/proc/self/fd/{opened}"), named)
    named = os.path.abspath(named)
    return named == folder or named.startswith(folder + os.sep)

def hook(event, args):
    global count
    if event in CHANGES:
        places = CHANGES[event]
        changes = any(below(args[path], None if at is None else args[at]) for path, at in places)
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
    """Name -> SHA-256 of every file below but locks, which the next command takes; folders end in a slash, without."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            found[f"{name}/"] = ""
        elif path.name != LOCK:
            found[name] = hashed(path)
    return found


def hashed(path: Path) -> str:
    """SHA-256 of a file; of one that says how long shards took, of which shards it says so: seconds are never equal."""
    held = path.read_bytes()
    if path.name == TIMES:
        taken = {teacher: sorted(seconds) for teacher, seconds in json.loads(held)["content"].items()}
        held = json.dumps(taken, sort_keys=True).encode()
    return hashlib.sha256(held).hexdigest()
