"""What the command says of an error that nobody foresaw: one line, with the file that has the rest."""

from __future__ import annotations

import hashlib
import platform
import tempfile
import traceback
from importlib import metadata
from pathlib import Path

from rankdistill import files
from rankdistill.cli.console import command
from rankdistill.errors import RankdistillError
from rankdistill.locations import cache_folder

FOLDER = "errors"
"""In the folder of this user's cache: a file for each error, which has the same name where it comes again."""

ISSUES = "the issues of the repository that rankdistill comes from"
"""Where to report, unless the installed package names an address."""

LONGEST = 300
"""Characters of the error's own message."""


def told(error: Exception) -> str:
    """The line; the traceback is saved, in the folder for temporary files where the cache cannot be written to."""
    said = " ".join(str(error).split())
    said = said if len(said) <= LONGEST else f"{said[:LONGEST]}..."
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return (
        f"rankdistill met an error that it does not know ({what}); what was finished is kept. "
        f"The traceback is in {_saved(error)}: please report it, with that file, in {_issues()}"
    )


def _saved(error: Exception) -> str:
    trace = "".join(traceback.format_exception(error))
    version = metadata.version("rankdistill")
    text = f"rankdistill {version}, Python {platform.python_version()}, {platform.platform()}\n{command()}\n\n{trace}"
    text = text.encode(errors="backslashreplace").decode()
    name = f"{type(error).__name__}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.txt"
    for folder in (_in_cache, _among_temporaries):
        try:
            files.write_text(path := folder() / name, text)
        except (RankdistillError, OSError, RuntimeError):  # the last where this user has no home
            continue
        return str(path)
    return f"no file, as none can be written:\n{text}\nSo"


def _in_cache() -> Path:
    return cache_folder() / FOLDER


def _among_temporaries() -> Path:
    return Path(tempfile.gettempdir()) / f"rankdistill-{FOLDER}"


def _issues() -> str:
    addresses = (one.partition(", ") for one in metadata.metadata("rankdistill").get_all("Project-URL") or [])
    return next((address for label, _, address in addresses if "issue" in label.lower()), ISSUES)
