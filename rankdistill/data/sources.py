"""Collections by name from MTEB, the Hugging Face hub and ir_datasets, written as BEIR folders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rankdistill import manifest
from rankdistill.data.identical_ids import known_rule
from rankdistill.data.meta import Meta
from rankdistill.data.writer import ARTEFACT, Collection, write_beir
from rankdistill.errors import ConfigError, DataError, RankdistillError


def _mteb(name: str) -> Collection:
    from rankdistill.data import from_mteb

    task, _, subset = name.partition("/")
    found = from_mteb.download(task)
    return from_mteb.convert(found.data, subset or None, found.ignore_identical_ids)


def _hub(name: str) -> Collection:
    from rankdistill.data import from_hub

    return from_hub.convert(from_hub.download(name))


def _ir_datasets(name: str) -> Collection:
    from rankdistill.data import from_ir_datasets

    return from_ir_datasets.convert(from_ir_datasets.download(name))


SOURCES: dict[str, Callable[[str], Collection]] = {"mteb": _mteb, "hf": _hub, "ir_datasets": _ir_datasets}
"""Prefix of a reference -> what fetches the rest of it. `mteb:TASK[/SUBSET]`, `hf:ORG/NAME`, `ir_datasets:NAME`."""

LIBRARIES = {"mteb": ("mteb", "datasets"), "hf": ("datasets",), "ir_datasets": ("ir_datasets",)}
"""Which versions the manifest names."""


def fetch(reference: str, out: Path, compress: bool = False, command: str = "") -> bool:
    """Write the collection that `reference` names as a BEIR folder; False if `out` already holds it.

    Bad rows are written as they came: `rankdistill.data.load` reports them.

    Args:
        reference: a prefix of SOURCES, a colon, and a name.
        out: the folder.
        compress: write `.gz` files.
        command: what the manifest names as the command.

    Raises:
        ConfigError: an unknown prefix.
        DataError: the name is unknown, or the network or hub could not be reached.
        MissingDependencyError: the source's library is not installed.
        StaleOutputError: `out` holds something else.
    """
    prefix, _, name = reference.partition(":")
    if prefix not in SOURCES or not name:
        raise ConfigError(
            expected=f"PREFIX:NAME with a prefix of {', '.join(SOURCES)}",
            got=repr(reference),
            consequence="nothing was fetched",
            remedy="for example mteb:SciFact, hf:BeIR/scifact or ir_datasets:beir/scifact",
        )
    parameters = {"source": reference, "compress": compress}
    wanted = manifest.Manifest(ARTEFACT, {}, parameters, manifest.versions_of(*LIBRARIES[prefix]), command)
    return write_beir(out, lambda: _reach(prefix, name), wanted, compress)


def _reach(prefix: str, name: str) -> Collection:
    try:
        found = SOURCES[prefix](name)
    except RankdistillError:
        raise
    except Exception as error:  # each client raises its own kinds; each means that the data is not to be had
        lines = str(error).splitlines() or [type(error).__name__]
        raise DataError(
            expected=f"to fetch {name!r} through {prefix}, which needs the network (or the source's own cache)",
            got=f"{type(error).__name__}: {lines[0]}",
            consequence="nothing was written",
            remedy="check the name and the network; offline, give a BEIR folder or make one with "
            "`rankdistill data pydocs`",
        ) from error
    return found if found.meta != Meta() else replace(found, meta=Meta(known_rule(f"{prefix}:{name}")))
