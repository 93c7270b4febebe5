"""Whether the files of an artefact are what its manifest has: compared where they are read, so damage is never used.

A file is known by the artefact that it lies in: the nearest folder above it whose manifest names it. Up to
`manifest.LARGE` bytes it is read as a whole and compared by SHA-256; a larger one by size and a sample of its blocks,
which a manifest has for such files. Each is compared once in a process, as long as its size, its time and its inode
stay. `rankdistill verify` reads all of them as a whole. Files that no manifest names (a user's own, those of an
unfinished artefact) are taken as they are, and so are those in an object store, which compares what it holds itself;
the pages of Parquet files have checksums of their own, see `rankdistill.tables`.

A file of a store that grows is replaced before the manifest tells of it, and some files no manifest names: what users
call teachers, copies to map into memory. `replacing` and `noting` note their hashes first, in `NOTED` beside them, so
that a kill in between leaves a store that can be read.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Literal

from rankdistill import files, locations, manifest
from rankdistill.errors import DamagedError, DataError
from rankdistill.manifest import FILE_NAME, Manifest
from rankdistill.notes import note

NOTED = ".noted"
"""What replaced an output since the manifest was written, and what no manifest names; see `Notes`. A file that is being
replaced has two: what it is and what it is about to be."""

FOR_PEOPLE = frozenset({".md", ".html"})
"""Suffixes of files that nothing reads but people: cards and reports, which one may edit."""

DEEPEST = 8
"""Folders above a file that are asked for a manifest that names it."""

_TASKS, _TASK = "task evaluations", "task evaluation"
"""Artefacts whose parts may be of several calls, and such a part."""

_STEPS = "steps"
"""The folder, in that of a run, in which its steps lie."""

_ABOVE = ("compare", "distill")
"""Verbs whose artefacts lie in the folder that they wrote to."""

State = Literal["whole", "damaged", "missing"]

Stamp = tuple[str, int, int, int]

Notes = Mapping[str, Sequence[Mapping[str, str]]]
"""File name -> what it may be: `sha256`, and `sample` of a large one."""

_hashes: dict[Stamp, str] = {}
_samples: dict[Stamp, str] = {}
_read: dict[str, tuple[Stamp, Manifest | None]] = {}
_noted: dict[str, tuple[Stamp, Notes]] = {}


@dataclass(frozen=True)
class Recorded:
    """What is known of a file.

    Args:
        folder: of the artefact.
        name: of the file, in the artefact.
        manifest: of the artefact; None where it has none, and the file was noted.
    """

    folder: Path
    name: str
    manifest: Manifest | None

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self.folder / self.name

    @property
    def known(self) -> list[tuple[str, str | None]]:
        """The hashes that it may have, each with that of its sample where there is one."""
        found: list[tuple[str, str | None]] = []
        if self.manifest is not None and self.name in self.manifest.outputs:
            found.append((self.manifest.outputs[self.name], self.manifest.samples.get(self.name)))
        found += [(one["sha256"], one.get("sample")) for one in noted(self.folder).get(self.name, ())]
        return found

    def state(self, whole: bool = False) -> State:
        """How the file is.

        Args:
            whole: read a large one as a whole too.
        """
        if not locations.is_file(self.path):
            return "missing"
        same = any(_is(self.path, content, None if whole else sample) for content, sample in self.known)
        return "whole" if same else "damaged"

    def error(self, state: State) -> DamagedError:
        """The error of a file in this state, that was asked for."""
        kind = "artefact" if self.manifest is None else self.manifest.artefact
        whole, again = whole_of(self.folder), again_of(self.folder, self.manifest)
        shards = {
            "scores/": f"`rankdistill verify {self.folder} --repair` scores what is damaged again",
            "vectors/": "remove that file and run the same `rankdistill embed` again: it makes it anew, and tells "
            f"whether it has other bytes ({again})",
        }
        remedies = {
            manifest.COLLECTION: f"remove the folder {whole} and make it again ({again}); if you changed that file on "
            f"purpose, remove {self.folder / FILE_NAME} alone: it is your collection then",
            "evaluation": f"remove the folder {whole} and evaluate it again ({again})",
        }
        if self.manifest is None or self.name not in self.manifest.outputs:
            kind = ""
            remedies[""] = "remove that file: it is made again where it is needed, or can be done without"
        default = f"copy it anew, or remove the folder {whole} and make it again ({again})"
        if kind in ("scores", "embeddings"):
            default = next((said for place, said in shards.items() if self.name.startswith(place)), default)
        what = "a whole Parquet file" if self.name.endswith(".parquet") else "the file"
        return DamagedError(
            expected=f"{what} {self.name} of the {kind or 'artefact'} in {self.folder} as it was written",
            got="no such file: it is missing" if state == "missing" else "other bytes: it was damaged or changed",
            consequence="nothing was read: what it says now is not what was made",
            remedy=f"{remedies.get(kind, default)}; `rankdistill verify {self.folder}` compares every file",
        )

    def require(self, whole: bool = False) -> None:
        """Raise DamagedError unless the file is what it was."""
        if (state := self.state(whole)) != "whole":
            raise self.error(state)


def whole_of(folder: Path) -> Path:
    """The folder of the artefact that the one in `folder` is a part of, as a shard is of an index; or itself."""
    if not locations.is_local(folder):
        return folder
    place = found = folder.absolute()
    for above in list(place.parents)[:DEEPEST]:
        try:
            made = read_manifest(above)
        except DataError:
            continue
        if made is not None and (found / FILE_NAME).relative_to(above).as_posix() in made.outputs:
            found = above
    return folder if found == place else _as_given(folder, place, found)


def again_of(folder: Path, made: Manifest | None) -> str:
    """What makes an artefact, and all that it is a part of, again: command lines with the folder that they wrote to.

    Args:
        folder: of the artefact.
        made: its manifest.
    """
    whole = whole_of(folder)
    of_whole = made if whole == folder else read_manifest(whole)
    commands = [of_whole.command if of_whole is not None else ""]
    if of_whole is not None and of_whole.artefact == _TASKS:  # each may be of another call
        commands = [one.command for name in sorted(of_whole.outputs) if (one := _part(whole, name)) is not None]
    known = [_written_to(whole, one) for one in dict.fromkeys(commands) if one]
    return "; ".join(known) or "the call that made it"


def _part(whole: Path, name: str) -> Manifest | None:
    """The manifest of a task, where the output of this name is one that can be read."""
    if Path(name).name != FILE_NAME:
        return None
    try:
        made = manifest.read((whole / name).parent)
    except DataError:
        return None
    return made if made is not None and made.artefact == _TASK else None


def _written_to(whole: Path, command: str) -> str:
    """A command line with the folder that it wrote to, where manifests have `.`."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    place = whole.parent.parent if whole.parent.name == _STEPS else whole
    out = str(place.parent if words[1:2] and words[1] in _ABOVE else place)
    named = [f"--out={out}" if word == "--out=." else word for word in words]
    for at, (word, after) in enumerate(pairwise(words), start=1):
        if word == "--out" and after == ".":
            named[at] = out
    return command if named == words else shlex.join(named)


def recorded(path: Path) -> Recorded | None:
    """What is known of the local file `path`; None where no manifest above it names it.

    Raises:
        DataError: the manifest of an artefact that it lies in is damaged.
    """
    if not locations.is_local(path):
        return None
    place = path.absolute()
    for folder in list(place.parents)[:DEEPEST]:
        made, name = read_manifest(folder), place.relative_to(folder).as_posix()
        if (made is not None and name in made.outputs) or name in noted(folder):
            return Recorded(_as_given(path, place, folder), name, made)
    return None


def recorded_below(folder: Path) -> list[Recorded]:
    """What is known of the files in the local `folder` and below, from its own manifest or the nearest above it."""
    place = folder.absolute()
    for above in [place, *place.parents][:DEEPEST]:
        made = read_manifest(above)
        if made is None:
            continue
        below = place.relative_to(above).as_posix()
        names = [name for name in made.outputs if below == "." or name.startswith(f"{below}/")]
        if names:
            return [Recorded(above, name, made) for name in names]
    return []


def require(path: Path, whole: bool = False) -> Path:
    """`path`, which is what its artefact's manifest has, or a file that no manifest names.

    Args:
        path: a file that is about to be read.
        whole: read a large one as a whole too: of a format that is read without checksums.

    Raises:
        DamagedError: it is missing, or has other bytes.
        DataError: the manifest is damaged.
    """
    if (known := recorded(path)) is not None:
        known.require(whole)
    return path


def require_below(folder: Path, wanted: Callable[[Path], bool] = lambda path: True) -> None:
    """Raise as `require` does unless the files in `folder` and below are what they were.

    Args:
        folder: of an artefact, or in one; any other will do.
        wanted: which of them are asked for; cards and reports for people are none.
    """
    if locations.is_local(folder):
        for one in recorded_below(folder):
            if is_read(one.name) and wanted(one.path):
                one.require()


def is_there(path: Path, root: Path | None = None) -> bool:
    """Whether there is a file that may be absent; one that the manifest names may not.

    Args:
        path: the file.
        root: the folder of its artefact, where that may lie in an object store.

    Raises:
        DamagedError: it is missing.
    """
    if locations.is_file(path):
        return True
    known = recorded(path) if root is None else _in(root, path)
    if known is not None:
        raise known.error("missing")
    return False


def is_kept(path: Path) -> bool:
    """Whether a file that is made again where it is missing is there, as it was written; all of it is read."""
    known = recorded(path)
    return path.is_file() and (known is None or known.state(whole=True) == "whole")


def making_again(path: Path, root: Path) -> AbstractContextManager[Path]:
    """As `noting`, for a file that is missing, or damaged, which is told."""
    if path.is_file():
        note(f"{path} is damaged: it is made again")
    return noting(path, root)


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The text of a file; raises as `require` does."""
    return require(path).read_text(encoding=encoding)


def read_bytes(path: Path) -> bytes:
    """The bytes of a file; raises as `require` does."""
    return require(path).read_bytes()


def is_read(name: str) -> bool:
    """Whether something else than people reads the file of this name."""
    return Path(name).suffix not in FOR_PEOPLE


def first_wrong(folder: Path, made: Manifest) -> tuple[Recorded, State] | None:
    """The first file of the artefact that is missing or damaged, and how it is; None where it is whole.

    Cards and reports for people may be edited.
    """
    for name in made.outputs:
        one = Recorded(folder, name, made)
        if is_read(name) and (state := one.state()) != "whole":
            return one, state
    return None


def is_whole(folder: Path) -> bool:
    """Whether there is a finished artefact in the local `folder`, with every file as it was."""
    try:
        made = read_manifest(folder)
    except DataError:
        return False
    return made is not None and first_wrong(folder, made) is None


def replacing(path: Path, root: Path) -> AbstractContextManager[Path]:
    """As `files.atomic_path`, for a file of a finished artefact that may change before the manifest tells of it.

    Args:
        path: the file.
        root: the folder of the artefact, whose lock is held.

    Raises:
        DamagedError: it was missing, and what would replace it is not what was lost.
    """
    return files.atomic_path(path, partial(_note_replaced, path, root))


def noting(path: Path, root: Path) -> AbstractContextManager[Path]:
    """As `files.atomic_path`, for a file that no manifest names; its hash is noted in `root`, whose lock is held."""
    return files.atomic_path(path, partial(_note, path, root))


def _note_replaced(path: Path, root: Path, temporary: Path) -> None:
    known = _in(root, path)
    if known is None or known.manifest is None or hash_of(temporary) == known.manifest.outputs[known.name]:
        return
    if not locations.is_file(path):
        raise known.error("missing")
    _note(path, root, temporary)


def _note(path: Path, root: Path, temporary: Path) -> None:
    found = {"sha256": files.hash_file(temporary)}
    if temporary.stat().st_size > manifest.LARGE:
        found["sample"] = files.sample_file(temporary)
    notes, name = noted(root), path.relative_to(root).as_posix()
    now = hash_of(path) if locations.is_file(path) else None
    still = [one for one in notes.get(name, ()) if one["sha256"] == now != found["sha256"]]
    _write_notes(root, {**notes, name: [*still, found]})


def _write_notes(root: Path, notes: Notes) -> None:
    path = root / NOTED
    if notes:
        files.write_text(path, json.dumps(notes, indent=1, sort_keys=True) + "\n")
    elif locations.is_file(path):
        with files.output_errors(path):
            path.unlink()


def noted(root: Path) -> Notes:
    """What was noted of files in the folder `root`; nothing where the notes are damaged."""
    path = root / NOTED
    if not locations.is_local(root):
        return _parsed(path.read_bytes()) if locations.is_file(path) else {}
    try:
        stamp = _stamp(path)
    except OSError:
        return {}
    known = _noted.get(stamp[0])
    if known is None or known[0] != stamp:
        known = _noted[stamp[0]] = (stamp, _parsed(path.read_bytes()))
    return known[1]


def _parsed(content: bytes) -> Notes:
    try:
        found = json.loads(content).items()
        several = {name: of if isinstance(of, list) else [of] for name, of in found}
        return {
            name: [{key: str(one) for key, one in {"sha256": "", **of}.items()} for of in all_]
            for name, all_ in several.items()
        }
    except (ValueError, AttributeError, TypeError):
        return {}


def hashes(root: Path, paths: Iterable[Path], earlier: Manifest | None, anew: Set[str] = frozenset()) -> dict[str, str]:
    """File name -> SHA-256, for the manifest that `root` gets in place of `earlier`.

    Args:
        root: the folder of the artefact.
        paths: its files.
        earlier: the manifest until now.
        anew: names of those that were made again, and may be others now.

    Raises:
        DamagedError: a file is not what `earlier` or the notes have.
    """
    found = {}
    for path in paths:
        one = Recorded(root, path.relative_to(root).as_posix(), earlier)
        found[one.name] = hash_of(path)
        known = {content for content, _ in one.known}
        if known and found[one.name] not in known and one.name not in anew:
            raise one.error("damaged")
    return found


def note_dropped(root: Path, earlier: Manifest, names: Iterable[str]) -> None:
    """Note the files that `earlier` names and the next manifest of `root` does not, as what is being added to."""
    dropped = {name: [{"sha256": earlier.outputs[name]}] for name in names}
    if dropped:
        _write_notes(root, {**noted(root), **dropped})


def note_made_again(path: Path, root: Path) -> None:
    """Note a file that took the place of a lost or damaged output of `root`, whose lock is held, with other bytes."""
    _note(path, root, path)


def forget(root: Path, names: Iterable[str]) -> None:
    """Forget what was noted of files that are not asked for any more."""
    gone = {*names}
    left = {name: one for name, one in noted(root).items() if name not in gone}
    if left != noted(root):
        _write_notes(root, left)


def settled(root: Path, made: Manifest) -> None:
    """Forget what was noted of files that the manifest `made`, just written, names."""
    notes = noted(root)
    left = {name: one for name, one in notes.items() if name not in made.outputs}
    if left != notes:
        _write_notes(root, left)


def hash_of(path: Path) -> str:
    """SHA-256 of a file, as hex; a local one is read once in a process, unless it changes."""
    if not locations.is_local(path):
        return files.hash_file(path)
    stamp = _stamp(path)
    if stamp not in _hashes:
        _hashes[stamp] = files.hash_file(path)
    return _hashes[stamp]


def is_content(path: Path, content: str | None) -> bool:
    """Whether the local file has this SHA-256, read as a whole."""
    return hash_of(path) == content


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a local `folder`, read again only where it changed; None where there is none of this package.

    Raises:
        DataError: it is damaged.
    """
    path = folder / FILE_NAME
    try:
        stamp = _stamp(path)
    except OSError:
        return None
    known = _read.get(stamp[0])
    if known is None or known[0] != stamp:
        known = _read[stamp[0]] = (stamp, manifest.read(folder) if is_ours(path) else None)
    return known[1]


def is_ours(path: Path) -> bool:
    """Whether a file `manifest.json` is of this package, be it damaged: other programs have files of that name."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return sum(content.count(word) > 0 for word in (b'"artefact"', b'"identity"', b'"outputs"')) > 1


def unlisted(folder: Path, made: Manifest) -> Iterator[Path]:
    """The files in the local `folder` and below that its manifest does not name, without hidden ones and its own."""
    for path in locations.all_files(folder):
        name = path.relative_to(folder).as_posix()
        if (
            name not in made.outputs
            and name != FILE_NAME
            and name not in noted(folder)
            and not any(part.startswith(".") for part in name.split("/"))
        ):
            yield path


def _in(root: Path, path: Path) -> Recorded | None:
    """What the manifest of the artefact in `root` says of `path`, here or in an object store."""
    made = manifest.read(root)
    name = path.relative_to(root).as_posix()
    return Recorded(root, name, made) if made is not None and name in made.outputs else None


def _as_given(path: Path, place: Path, folder: Path) -> Path:
    """`folder` as errors show it: from where `path` was given."""
    if path.is_absolute():
        return folder
    above = len(place.relative_to(folder).parts)
    parts = path.parts[:-above] if above <= len(path.parts) else ()
    return Path(*parts) if parts and Path(*parts).absolute() == folder else folder


def _is(path: Path, content: str, sample: str | None) -> bool:
    """Whether a file has this hash, or this sample where it is large and has not been read as a whole."""
    if not locations.is_local(path):
        return files.hash_file(path) == content
    stamp = _stamp(path)
    if stamp in _hashes or sample is None or stamp[1] <= manifest.LARGE:
        return hash_of(path) == content
    if stamp not in _samples:
        _samples[stamp] = files.sample_file(path)
    return _samples[stamp] == sample


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return (str(path.absolute()), found.st_size, found.st_mtime_ns, found.st_ino)
