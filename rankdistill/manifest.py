"""What made an artefact: inputs with hashes, parameters, versions, command.

A manifest is written last. It holds no time and no host name, so the same inputs give the same bytes. It ends what it
says with a hash of it; whether the files that it names are still what they were, `rankdistill.integrity` finds out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from rankdistill import files, locations, plain_json
from rankdistill.errors import DataError, StaleOutputError

FILE_NAME = "manifest.json"
FORMAT = 1

CHECKSUM = "checksum"
"""The field with the hash of all others; manifests of earlier versions have none."""

LARGE = 512 << 20
"""Bytes above which a file is known by a sample of its blocks too, which an ordinary opening compares."""

COLLECTION, CORPUS = "dataset", "corpus.jsonl"
"""What a collection is called as an artefact, and the file that every one has."""

_MAPPINGS = ("inputs", "parameters", "versions", "outputs")

RUN = "run"
"""What the folder of a recipe's run is called as an artefact."""


@dataclass(frozen=True)
class Manifest:
    """The provenance of one artefact (a folder).

    Args:
        artefact: what kind of thing the folder holds: `candidates`, `scores`, `student`, `index`, ...
        inputs: name -> content hash of everything read.
        parameters: every setting that changes the result; JSON values only.
        versions: library -> version.
        command: the command line that does it again.
        outputs: file name -> SHA-256 of what was written.
        samples: file name -> `files.sample_file` of each output larger than `LARGE`; filled in by `write`.
    """

    artefact: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    samples: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """Hash of artefact, inputs and parameters: equal identities mean the step need not run again."""
        return digest(
            {"artefact": self.artefact, "inputs": self.inputs, "parameters": self.parameters, "format": FORMAT}
        )

    def write(self, folder: Path) -> None:
        """Write `manifest.json` into `folder`, atomically."""
        content = {"format": FORMAT, "identity": self.identity} | {
            name: getattr(self, name) for name in self.__dataclass_fields__ if name != "samples"
        }
        if samples := _samples(folder, self.outputs):
            content["samples"] = samples
        content[CHECKSUM] = digest(content)
        files.write_text(folder / FILE_NAME, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def _samples(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Name -> sample of those that are large; none in an object store, whose files are not sampled."""
    if not locations.is_local(folder):
        return {}
    there = {name: folder / name for name in names}
    return {
        name: files.sample_file(path) for name, path in there.items() if path.is_file() and path.stat().st_size > LARGE
    }


def digest(value: Any) -> str:
    """SHA-256 (hex) of a JSON value in canonical form."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=dict)
    return hashlib.sha256(canonical.encode()).hexdigest()


def digest_strings(strings: Iterable[str]) -> str:
    """What `digest` gives for a list of these strings, which need not be in memory together."""
    found, before = hashlib.sha256(b"["), ""
    for string in strings:
        found.update(f"{before}{json.dumps(string, ensure_ascii=False)}".encode())
        before = ","
    found.update(b"]")
    return found.hexdigest()


def versions_of(*libraries: str) -> dict[str, str]:
    """The installed versions of `libraries` (and of rankdistill); those not installed are left out."""
    found = {}
    for library in ("rankdistill", *libraries):
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def read(folder: Path) -> Manifest | None:
    """The manifest in `folder`, or None where there is none (the artefact is unfinished or absent).

    Raises:
        DataError: the file is no manifest of this format, or not as it was written.
        RemoteError: the object store with `folder` does not answer, or refuses.
    """
    path = folder / FILE_NAME
    if not locations.is_file(path):
        return None
    try:
        with locations.remote_errors(path):
            content = plain_json.loads(path.read_text(encoding="utf-8-sig"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
        fields = Manifest.__dataclass_fields__
        if unknown := sorted(content.keys() - {*fields, "format", "identity", CHECKSUM}):
            raise ValueError(f"the unknown fields {', '.join(map(repr, unknown))}")
        told = content.pop(CHECKSUM, None)
        if told is not None and told != digest(content):
            raise ValueError("it was damaged or changed: its checksum is another one")
        if not isinstance(content["artefact"], str):
            raise ValueError("'artefact' is no text")
        for name in _MAPPINGS:
            if not isinstance(content[name], dict):
                raise ValueError(f"{name!r} is a {type(content[name]).__name__}, not an object")
        return Manifest(**{name: content[name] for name in fields if name != "samples" or name in content})
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            expected=f"a manifest of format {FORMAT}",
            got=f"{path}: {error}",
            consequence="what made this folder is unknown, so it was not used",
            remedy="remove the folder and make it again, or use the rankdistill that wrote it",
        ) from error


def expect(folder: Path, artefact: str, made_by: str) -> Manifest:
    """The manifest of a finished artefact of the given kind.

    Raises:
        DataError: `folder` is absent, unfinished, or holds something else; `made_by` is the verb named as the remedy.
    """
    found = read(folder)
    if found is not None and found.artefact == artefact:
        return found
    state = (
        "no such folder" if not folder.is_dir() else "no manifest" if found is None else f"it holds {found.artefact!r}"
    )
    raise DataError(
        expected=f"a finished {artefact!r} folder",
        got=f"{folder}: {state}",
        consequence="nothing was run",
        remedy=f"make it with `rankdistill {made_by}`, or give the right path",
    )


def require_kind(folder: Path, artefact: str) -> None:
    """Check that `folder` may be added to: it holds an artefact of this kind, or nothing finished.

    Raises:
        StaleOutputError: it holds an artefact of another kind.
        DataError: its manifest is none of this format.
    """
    found = read(folder)
    if found is None:
        _require_no_collection(folder, artefact)
    if found is not None and found.artefact != artefact:
        raise StaleOutputError(
            expected=f"{folder} to be empty, or to hold {artefact!r}",
            got=f"it holds {found.artefact!r}",
            consequence="nothing was changed",
            remedy="choose another output",
        )


def is_current(folder: Path, wanted: Manifest) -> bool:
    """True if `folder` already holds exactly what `wanted` describes; False if it holds nothing finished.

    Raises:
        StaleOutputError: it holds an artefact made from other inputs or parameters; the message names what differs.
    """
    found = read(folder)
    if found is None:
        _require_no_collection(folder, wanted.artefact)
        return False
    if found.identity == wanted.identity:
        return True
    raise StaleOutputError(
        expected=f"{folder} to be empty, or made from the same inputs and parameters",
        got="; ".join(differences(found, wanted)),
        consequence="nothing was changed: the old output is kept",
        remedy="choose another output, or remove the old one",
    )


def _require_no_collection(folder: Path, artefact: str) -> None:
    """Raise StaleOutputError where a user's collection lies: with a manifest of another artefact it would be one."""
    if artefact != COLLECTION and any(locations.is_file(folder / name) for name in (CORPUS, f"{CORPUS}.gz")):
        raise StaleOutputError(
            expected=f"{folder} to be empty, or to hold {artefact!r}",
            got=f"it holds a collection ({CORPUS})",
            consequence="nothing was changed",
            remedy="choose another output, as a folder in it",
        )


def differences(old: Manifest, new: Manifest) -> Iterable[str]:
    """One line for each input or parameter in which two manifests differ."""
    if old.artefact != new.artefact:
        yield f"it holds {old.artefact!r}, not {new.artefact!r}"
    for kind in ("inputs", "parameters"):
        before, after = dict(getattr(old, kind)), dict(getattr(new, kind))
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                yield f"{kind[:-1]} {name!r} was {before.get(name)!r}, is now {after.get(name)!r}"
