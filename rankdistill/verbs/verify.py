"""`verify`: whether every file of artefacts is what it was, read as a whole; and scoring again what is damaged."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import files, integrity, locations
from rankdistill.display import Shown, Table
from rankdistill.errors import ConfigError, DataError, ModelReferenceError, RankdistillError
from rankdistill.notes import note, tell
from rankdistill.progress import ProgressLike, Reporter, Stage, reporter_of
from rankdistill.provenance.found import UNFINISHED, Artefact, at, find
from rankdistill.provenance.wholeness import FileState, Wholeness, look
from rankdistill.stores import repairing
from rankdistill.stores.embeddings.layout import ARTEFACT as EMBEDDINGS
from rankdistill.stores.embeddings.layout import Layout as EmbeddingsLayout
from rankdistill.stores.layout import ARTEFACT as SCORES
from rankdistill.stores.layout import Layout
from rankdistill.stores.naming import teachers_of
from rankdistill.teachers.base import MeteredTeacher, PairTeacher
from rankdistill.teachers.registry import specify
from rankdistill.verbs.arguments import Place, Teacher, listed, place_of, teacher_of
from rankdistill.verbs.contract import verb

if TYPE_CHECKING:
    import polars as pl

COMPARISON = "comparison"
"""What the folder that `compare` or `verdict` wrote is called; it has no manifest."""

SHOWN = 20
"""Files in one state that are named one by one."""

_WORDS = {
    "damaged": "damaged: other bytes than were written",
    "missing": "missing",
    "edited": "edited: a page for people, which nothing reads",
    "unknown": "in no manifest",
    "dead": "left by a dead writer: the next writer removes it, and so does --repair",
    "living": "being written, perhaps; or left by a writer on another machine less than a day ago",
}


@dataclass(frozen=True, repr=False)
class Verified(Shown):
    """How artefacts are; they print as a table, and a line a file that is not as it was.

    Args:
        artefacts: each, in the order of their paths.
        repaired: what was done, a line each.
    """

    artefacts: tuple[Wholeness, ...]
    repaired: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is damaged or missing."""
        return all(one.is_whole for one in self.artefacts)

    def __repr__(self) -> str:
        wrong = sum(not one.is_whole for one in self.artefacts)
        return f"Verified({len(self.artefacts)} artefacts, {f'{wrong} of them damaged' if wrong else 'whole'})"

    def __iter__(self) -> Iterator[Wholeness]:
        return iter(self.artefacts)

    def __len__(self) -> int:
        return len(self.artefacts)

    def tables(self) -> list[Table]:
        """An artefact a row: path, kind, how it is, and how many files are in each state."""
        header = [
            "artefact",
            "kind",
            "state",
            "whole",
            "damaged",
            "missing",
            "in no manifest",
            "put aside",
            "temporary",
        ]
        states = (("whole", "edited"), ("damaged",), ("missing",), ("unknown",), ("aside",), ("dead", "living"))
        rows = [
            [str(one.path), one.kind, _state(one), *(f"{len(one.names(*some)):,}" for some in states)]
            for one in self.artefacts
        ]
        return [Table("verified", header, rows, texts=3)]

    def lines(self) -> list[str]:
        """What was repaired; each file that is not as it was; and how to get it back."""
        return [*self.repaired, *(line for one in self.artefacts for line in _told(one))]

    def to_polars(self) -> pl.DataFrame:
        """A file a row: artefact, kind, file, state."""
        import polars as pl

        rows = [(str(one.path), one.kind, file.name, file.state) for one in self.artefacts for file in one.files]
        return pl.DataFrame(rows, schema=dict.fromkeys(("artefact", "kind", "file", "state"), pl.String), orient="row")

    def to_json(self) -> dict[str, Any]:
        """Whether all is whole, what was repaired, and of each artefact its files by state."""
        return {
            "whole": self.is_whole,
            "repaired": list(self.repaired),
            "artefacts": [
                {
                    "path": str(one.path),
                    "kind": one.kind,
                    "whole": one.is_whole,
                    "problem": one.problem,
                    "files": {file.name: file.state for file in one.files},
                    "put_aside": {file.name: file.size for file in one.files if file.state == "aside"},
                    "remedy": _remedy(one),
                }
                for one in self.artefacts
            ],
        }


@verb
def verify(
    artefacts: Place | Sequence[Place],
    *,
    repair: bool = False,
    teacher: Teacher | PairTeacher | None = None,
    progress: ProgressLike = False,
) -> Verified:
    """Read every file of artefacts as a whole and compare it with what the manifest has.

    Any folder will do: all artefacts in it and below are looked at. What was written before manifests had the hashes of
    all files is compared as far as they go.

    Args:
        artefacts: folders; also `s3://...` of one artefact.
        repair: score damaged and lost shards of score stores again, remove what dead writers left, and copies of
            vectors that are made again anyway. Other damage is told with the command that makes the artefact again.
        teacher: what scores; the model that the store names unless given. Without effect unless something is repaired.
        progress: True tells on standard error; or a function that takes the number of files just read.

    Returns:
        How each file is; `is_whole` tells whether nothing is damaged or missing.

    Raises:
        DataError: nothing of ours lies there.
        ConfigError: a teacher without `repair`.
        StoreError, TeacherError, ModelReferenceError: what is damaged cannot be scored again.
        RemoteError: the object store does not answer, or refuses.
    """
    if teacher is not None and not repair:
        raise ConfigError(
            expected="a teacher with repair",
            got="a teacher alone",
            consequence="nothing was verified: it would have no effect",
            remedy="say repair as well (--repair), or leave the teacher out",
        )
    reporter = reporter_of(progress)
    found = [one for given in listed(artefacts) for one in _found(place_of(given))]
    with reporter.stage("verifying", "files") as stage:
        looked = [look(one, stage) for one in found]
    if not repair:
        return Verified(tuple(looked))
    done: list[str] = []
    for one, state in zip(found, looked, strict=True):
        done += _repaired(one, state, teacher, reporter)
    with reporter.stage("verifying", "files") as stage:
        return Verified(tuple(look(_again(one), stage) for one in found), tuple(done))


def _found(place: Path) -> list[Artefact]:
    """The artefacts in a folder and below; of an object store, the one that lies there."""
    found = list(find(place)) if locations.is_local(place) else [_remote(place)]
    if locations.is_local(place) and integrity.noted(place) and not any(one.path == place for one in found):
        found.insert(0, Artefact(place, COMPARISON))
    if not found:
        raise DataError(
            expected="a folder with something that rankdistill wrote",
            got=f"{place}: {'nothing of ours' if place.is_dir() else 'no such folder'}",
            consequence="nothing was verified",
            remedy="give the folder of a store, a student, an index, a bundle, a run, ...",
        )
    return found


def _remote(place: Path) -> Artefact:
    from rankdistill import manifest

    made = manifest.read(place)
    return Artefact(place, UNFINISHED if made is None else made.artefact, made)


def _again(artefact: Artefact) -> Artefact:
    if not locations.is_local(artefact.path):
        return _remote(artefact.path)
    return at(artefact.path) or artefact


def _repaired(
    artefact: Artefact, state: Wholeness, teacher: Teacher | PairTeacher | None, reporter: Reporter
) -> Iterator[str]:
    """Repair what can be; a line for each thing that was done."""
    folder = artefact.path
    for name in state.names("dead"):
        if (folder / name).is_dir():
            files.remove_folder(folder / name, whole=True)
        else:
            with files.output_errors(folder / name):
                (folder / name).unlink(missing_ok=True)
        yield f"{folder / name}: removed, its writer is dead"
    if artefact.kind == EMBEDDINGS:
        copies = EmbeddingsLayout(folder).mapped
        for path in locations.listing(copies) if locations.is_local(copies) else []:
            known = integrity.recorded(path)
            if known is not None and known.state(whole=True) != "whole":
                path.unlink(missing_ok=True)
                yield f"{path}: removed, the next reader of the store makes it again"
    if artefact.kind != SCORES or artefact.manifest is None:
        return
    aside = repairing.put_aside(Layout(folder))
    if aside:
        yield f"{folder}: {len(aside)} shards that a killed repair had put aside: it was brought to its end"
    if aside or not state.is_whole:
        with reporter.stage(f"scoring what is damaged of {folder}", "pairs") as stage:
            for one in _scored_again(folder, teacher, stage):
                same = "the store is what it was, to the byte" if one.same else "other bytes than before"
                tell(f"{one.scored:,} pairs scored")
                left = f"; {len(one.left)} are lost: the store does not tell what pairs they had" if one.left else ""
                again = f"{one.shards - len(one.left)} shards of {one.teacher_id} scored again, {one.scored:,} pairs"
                yield f"{folder}: {again}{left}; {same}"


def _scored_again(folder: Path, given: Teacher | PairTeacher | None, stage: Stage) -> list[repairing.Repaired]:
    """What `repair` did; in the end it is told what each teacher that is paid was asked for."""
    opened: list[PairTeacher] = []

    def opening(teacher_id: str, fingerprint: Mapping[str, Any]) -> PairTeacher:
        opened.append(_teacher(folder, teacher_id, fingerprint, given))
        return opened[-1]

    try:
        return repairing.repair(folder, opening, stage)
    finally:
        for one in opened:
            if isinstance(one, MeteredTeacher):
                tell(one.spent())


def _teacher(
    store: Path, teacher_id: str, fingerprint: Mapping[str, Any], given: Teacher | PairTeacher | None
) -> PairTeacher:
    """The teacher of a store, loaded: the one that was given, or by the name of its model in the store."""
    if given is not None and not isinstance(given, str | os.PathLike | Mapping):
        return given
    model = next((one.model for one in teachers_of(Layout(store), [teacher_id])), "")
    if given is None and not model:
        raise ModelReferenceError(
            expected=f"the store {store} to name the model of {teacher_id}",
            got="no name",
            consequence="nothing was repaired",
            remedy="name the teacher: --teacher",
        )
    backend = str(fingerprint.get("backend", "auto"))
    if backend == "torch" and fingerprint.get("dtype") == "bfloat16":
        backend = "torch-bf16"
    said = model if given is None else teacher_of(given)
    kind, length = str(fingerprint.get("kind", "auto")), fingerprint.get("max_length")
    try:
        return specify(said, kind=kind, backend=backend, max_length=length).load()
    except RankdistillError as error:
        if given is not None:
            raise
        note(f"{teacher_id} is {model!r} in the store, which is not to be had here; name it with --teacher")
        raise error


def _state(one: Wholeness) -> str:
    if not one.is_whole:
        return "damaged"
    if one.kind == UNFINISHED:
        return "unfinished"
    return "whole" if one.names("whole", "edited") else "nothing recorded"


def _told(one: Wholeness) -> Iterator[str]:
    for state, words in _WORDS.items():
        named: list[FileState] = [file for file in one.files if file.state == state]
        for file in named[:SHOWN]:
            yield f"{one.path / file.name}: {words}"
        if len(named) > SHOWN:
            yield f"{one.path}: and {len(named) - SHOWN:,} more files {words}"
    aside = [file for file in one.files if file.state == "aside"]
    for file in aside[:SHOWN]:
        what = f"a damaged shard, {file.size:,} bytes" if file.size else "an empty file that stands for a lost shard"
        yield f"{one.path / file.name}: put aside by a repair that was killed: {what}"
    if len(aside) > SHOWN:
        yield f"{one.path}: and {len(aside) - SHOWN:,} more files put aside by a repair that was killed"
    if aside:
        yield (
            f"{one.path}: `rankdistill verify {one.path} --repair` brings that repair to its end: it scores those "
            "pairs again, then removes what was put aside; nothing else reads it"
        )
    if remedy := _remedy(one):
        yield f"{one.path}: {remedy}"


def _remedy(one: Wholeness) -> str:
    """What brings a damaged artefact back; "" where it is whole."""
    if one.is_whole:
        return ""
    wrong = one.names("damaged", "missing")
    again = f"`{one.command}`" if one.command else "the call that made it"
    if one.kind == SCORES and all(name.startswith("scores/") for name in wrong):
        return "`rankdistill verify --repair` scores what is damaged again"
    if one.kind == SCORES:
        return f"scores can be scored again (--repair), what was scored cannot: copy it anew, or make another ({again})"
    if one.kind == EMBEDDINGS and all(name.startswith("vectors/") for name in wrong):
        return f"remove those files, then {again} embeds what they held"
    if one.kind in (UNFINISHED, COMPARISON):
        return "remove those files, then run the same command again"
    return f"copy it anew, or remove the folder {integrity.whole_of(one.path)} and make it again: {again}"
