"""The last phase of scoring: once every unit of a plan has its shard, the manifest is written and the plan goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path

from rankdistill import files, integrity, locations, manifest, plain_json
from rankdistill.stores import keying, times
from rankdistill.stores.answers import forget_answers
from rankdistill.stores.broken import require_new
from rankdistill.stores.fidelity import read_fidelity
from rankdistill.stores.keys import text_hasher
from rankdistill.stores.layout import ARTEFACT, Layout
from rankdistill.stores.lookup import StoredTexts
from rankdistill.stores.made_again import tell_others, unit_of, vouch_for_planned
from rankdistill.stores.missing import count_missing, forget_plan
from rankdistill.stores.plan import Plan, is_current, is_done


def finish(
    layout: Layout,
    teacher_id: str,
    plan: Plan,
    inputs: Mapping[str, str],
    command: str,
    anew: Set[str] = frozenset(),
    texts: StoredTexts | None = None,
) -> int:
    """Write the manifest if no unit is left; whoever comes last does it. The number of units left.

    Call it while holding the store's lock. The plan goes after the manifest, so no plan means that it was written.

    Args:
        layout: the store.
        teacher_id: whose plan it is.
        plan: what the caller worked on.
        inputs: name -> content hash of what was read, added to those of earlier runs.
        command: the command line.
        anew: see `write_manifest`.
        texts: see `write_manifest`.
    """
    if not is_current(layout.plan(teacher_id), plan):
        return 0
    left = plan.left(layout.scores(teacher_id))
    if not left:
        finished = [known for known in layout.teacher_ids() if known == teacher_id or is_finished(layout, known)]
        files.remove_temporaries(layout.scores(teacher_id))
        files.remove_temporaries(layout.root, keep_living=finished != layout.teacher_ids())
        forget_answers(layout.root, teacher_id)
        times.settle(layout.root, teacher_id, layout.plan(teacher_id))
        write_manifest(layout, finished, plan.unit_size, inputs, command, anew, texts)
        forget_plan(layout, teacher_id)
    return len(left)


def is_finished(layout: Layout, teacher_id: str) -> bool:
    """Whether all that a teacher was asked for so far has a score."""
    return is_done(layout.plan(teacher_id), layout.scores(teacher_id))


def write_manifest(
    layout: Layout,
    finished: list[str],
    unit_size: int,
    inputs: Mapping[str, str],
    command: str,
    anew: Set[str] = frozenset(),
    texts: StoredTexts | None = None,
) -> None:
    """Write the manifest of a store; call it while holding the store's lock.

    Args:
        layout: the store.
        finished: the teachers whose scores are all there.
        unit_size: pairs a shard.
        inputs: name -> content hash of what was read, added to those of earlier runs.
        command: the command line.
        anew: files that may have other bytes than the manifest until now has: they were scored again.
        texts: of the store, where they are at hand; else they are read if a shard was lost.

    Raises:
        DamagedError: any other file is not what the manifest until now has, or was lost; or a new
            one is broken, see `broken.require_new`.
    """
    earlier = manifest.read(layout.root)
    for known in finished:
        vouch_for_planned(layout.root, layout.plan(known), layout.scores(known), earlier)
    checked = {known: read_fidelity(layout, known) for known in finished}
    fidelity = {known: record for known, record in checked.items() if record is not None}
    paths = [*_files(layout, finished)]
    new = [path for path in paths if earlier is None or not _named(layout, path, earlier, anew)]
    require_new(layout.root, new, {layout.scores(known): layout.plan(known) for known in finished})
    scored_still = {*layout.teacher_ids()} - {*finished}
    lost = _lost(layout, paths, earlier, scored_still, texts or StoredTexts(layout))
    written = integrity.hashes(layout.root, paths, earlier, anew) | lost
    made = manifest.Manifest(
        artefact=ARTEFACT,
        inputs=(dict(earlier.inputs) if earlier else {}) | dict(inputs),
        parameters={
            "unit_size": unit_size,
            "teachers": {known: plain_json.read(integrity.require(layout.teacher(known))) for known in finished},
        }
        | ({"fidelity": fidelity} if fidelity else {})
        | ({keying.FIELD: "ids"} if keying.keyed_by(layout) == "ids" else {}),
        versions=manifest.versions_of("pyarrow", "torch", "transformers", "sentence-transformers"),
        command=command,
        outputs=written,
    )
    made.write(layout.root)
    integrity.settled(layout.root, made)
    integrity.forget(layout.root, _dropped(layout, made, finished))
    tell_others(layout.root, earlier, written)


def _named(layout: Layout, path: Path, earlier: manifest.Manifest, anew: Set[str]) -> bool:
    return path.relative_to(layout.root).as_posix() in earlier.outputs.keys() - anew


def _lost(
    layout: Layout,
    paths: Sequence[Path],
    earlier: manifest.Manifest | None,
    scored_still: Set[str],
    texts: StoredTexts,
) -> dict[str, str]:
    """The shards that were lost since the manifest `earlier`, unless others have their scores by now.

    They stay in the manifest, so that the store is not read without them. Any other file that was lost is an error.

    Args:
        layout: the store.
        paths: the files of the manifest to be.
        earlier: the manifest until now.
        scored_still: teachers that others are scoring with, whose files come into the manifest when that is done.
        texts: of the store.
    """
    if earlier is None:
        return {}
    there = {path.relative_to(layout.root).as_posix() for path in paths}
    dropped = [name for name in earlier.outputs if name not in there and _teacher_of(name) in scored_still]
    integrity.note_dropped(layout.root, earlier, dropped)
    lost = {name: content for name, content in earlier.outputs.items() if name not in {*there, *dropped}}
    for name in lost:
        if not name.startswith("scores/"):
            raise integrity.Recorded(layout.root, name, earlier).error("missing")
    for name in _dropped(layout, earlier, {*layout.teacher_ids()} - scored_still):
        if name not in there:  # lost before another teacher's manifest left it out
            lost[name] = integrity.Recorded(layout.root, name, None).known[0][0]
    units = {unit_of(name) for name in there}
    lost = {name: content for name, content in lost.items() if unit_of(name) not in units}
    covered = {teacher_id for teacher_id in {*map(_teacher_of, lost)} if _has_all(layout, teacher_id, texts)}
    return {name: content for name, content in lost.items() if _teacher_of(name) not in covered}


def _dropped(layout: Layout, made: manifest.Manifest, finished: Iterable[str]) -> list[str]:
    """The noted shards of finished teachers that the manifest `made` does not name."""
    noted, known = integrity.noted(layout.root), {*finished}
    return [
        name for name in noted if name.startswith("scores/") and _teacher_of(name) in known and name not in made.outputs
    ]


def _teacher_of(name: str) -> str:
    """The teacher that a file of the store belongs to; "" where it belongs to all."""
    folder, _, rest = name.partition("/")
    if folder == "scores":
        return rest.partition("/")[0]
    return Path(rest).stem if folder in ("teachers", "fidelity") else ""


def _has_all(layout: Layout, teacher_id: str, texts: StoredTexts) -> bool:
    """Whether a teacher has scored every pair of every candidate table of the store."""
    hash_of = (text_hasher(str), text_hasher(str)) if keying.keyed_by(layout) == "ids" else texts.hash_of
    return not any(count_missing(layout, table, teacher_id, hash_of)[1] for table in layout.candidate_tables())


def _files(layout: Layout, finished: list[str]) -> Iterator[Path]:
    """The store's files; of teachers that are being scored still, none."""
    yield from layout.candidate_tables()
    named = (layout.queries, layout.documents, layout.calibration)
    yield from (path for path in named if integrity.is_there(path, layout.root))
    for teacher_id in finished:
        yield layout.teacher(teacher_id)
        if locations.is_file(layout.fidelity(teacher_id)):
            yield layout.fidelity(teacher_id)
        yield from layout.shards(teacher_id)
