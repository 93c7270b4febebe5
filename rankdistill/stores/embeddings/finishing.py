"""The last phase of embedding: once every unit has its shard, texts and manifest are written and the plan goes."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from rankdistill import files, integrity, locations, manifest
from rankdistill.errors import StoreError
from rankdistill.notes import tell
from rankdistill.stores import times
from rankdistill.stores.broken import require_new
from rankdistill.stores.embeddings import shards
from rankdistill.stores.embeddings.fidelity import read_fidelity
from rankdistill.stores.embeddings.gathering import Gathered
from rankdistill.stores.embeddings.identity import hashes_of_ids, vector_keys
from rankdistill.stores.embeddings.layout import ARTEFACT, Layout
from rankdistill.stores.embeddings.planning import keep_held_out, stored_texts, write_planned_texts
from rankdistill.stores.embeddings.teacher_file import REFERENCE, read_teacher
from rankdistill.stores.embeddings.text_files import KINDS
from rankdistill.stores.made_again import tell_others, unit_of, vouch_for_planned
from rankdistill.stores.plan import Plan, discard_plan, hash_of, is_current


def finish(layout: Layout, plan: Plan, gathered: Gathered, command: str) -> int:
    """Write texts and manifest if no unit is left; whoever comes last does it. The number of units left.

    Call it while holding the store's lock. The plan goes after the manifest, so no plan means that it was written.

    Args:
        layout: the store.
        plan: what the caller worked on.
        gathered: the texts that it is for.
        command: the command line.
    """
    if not is_current(layout.plan, plan):
        return 0
    left = plan.left(layout.vectors)
    if not left:
        files.remove_temporaries(layout.vectors)
        files.remove_temporaries(layout.root, keep_living=True)
        keep_held_out(layout, gathered)
        _put_texts(layout, gathered)
        times.settle(layout.root, str(read_teacher(layout)["teacher_id"]), layout.plan)
        _write_manifest(layout, plan.unit_size, gathered, command)
        discard_plan(layout.plan)
    return len(left)


def _put_texts(layout: Layout, gathered: Gathered) -> None:
    """Put the planned texts in the place of the store's, which are lost to nothing else.

    Raises:
        StoreError: what was copied is not what was planned.
    """
    planned = layout.planned_texts
    wanted = hash_of(layout.plan, planned.name)
    if not locations.is_file(planned) or files.hash_file(planned) != wanted:
        tell(f"{planned} is damaged: it is made again, of the store's texts and what was gathered")
        write_planned_texts(layout, gathered)
        wanted = files.hash_file(planned)
    with integrity.replacing(layout.texts, layout.root) as temporary:
        with planned.open("rb") as source, temporary.open("wb") as target:
            shutil.copyfileobj(source, target)
        if files.hash_file(temporary) != wanted:
            raise StoreError(
                expected=f"a copy of {planned}",
                got="other bytes: the disk or the memory of this machine loses some",
                consequence=f"{layout.texts} is as it was",
                remedy="run the same `rankdistill embed` again, on a machine that works",
            )


def _write_manifest(layout: Layout, unit_size: int, gathered: Gathered, command: str) -> None:
    earlier = manifest.read(layout.root)
    vouch_for_planned(layout.root, layout.plan, layout.vectors, earlier)
    before: Mapping[str, Any] = earlier.parameters if earlier else {}
    fidelity = read_fidelity(layout)
    teacher = {name: value for name, value in read_teacher(layout).items() if name != REFERENCE}
    paths = [*_files(layout)]
    named = earlier.outputs if earlier else {}
    new = [path for path in paths if path.relative_to(layout.root).as_posix() not in named]
    require_new(layout.root, new, {layout.vectors: layout.plan})
    outputs = integrity.hashes(layout.root, paths, earlier) | _lost(layout, paths, earlier)
    made = manifest.Manifest(
        artefact=ARTEFACT,
        inputs=(dict(earlier.inputs) if earlier else {}) | dict(gathered.inputs),
        parameters={
            "unit_size": unit_size,
            "query_split": gathered.query_split,
            "teacher": teacher,
            "gathered": {**before.get("gathered", {}), **gathered.tallies},
            **_counts(layout),
        }
        | ({"fidelity": fidelity} if fidelity else {}),
        versions=manifest.versions_of("pyarrow", "torch", "transformers", "sentence-transformers"),
        command=command,
        outputs=outputs,
    )
    made.write(layout.root)
    integrity.settled(layout.root, made)
    tell_others(layout.root, earlier, outputs)


def _lost(layout: Layout, paths: Sequence[Path], earlier: manifest.Manifest | None) -> dict[str, str]:
    """The shards that were lost since the manifest `earlier`, unless others have their vectors by now.

    They stay in the manifest, so that the store is not read without them. Any other file that was lost is an error.

    Args:
        layout: the store.
        paths: the files of the manifest to be.
        earlier: the manifest until now.
    """
    there = {path.relative_to(layout.root).as_posix() for path in paths}
    lost = {name: content for name, content in (earlier.outputs if earlier else {}).items() if name not in there}
    for name in lost:
        if not name.startswith(f"{layout.vectors.name}/"):
            raise integrity.Recorded(layout.root, name, earlier).error("missing")
    units = {unit_of(name) for name in there}
    lost = {name: content for name, content in lost.items() if unit_of(name) not in units}
    return {} if lost and _has_all(layout) else lost


def _has_all(layout: Layout) -> bool:
    """Whether every text of the store has a vector."""
    teacher_id = str(read_teacher(layout)["teacher_id"])
    stored = shards.stored_keys(layout.shards())
    return all(stored.holds(vector_keys(chunk["text_id"], teacher_id)).all() for chunk in stored_texts(layout))


def _counts(layout: Layout) -> dict[str, dict[str, int]]:
    """How many texts of each kind there are, and of how many the teacher read only the beginning."""
    cut = shards.truncated_ids(layout.shards())
    texts: Counter[str] = Counter()
    truncated: Counter[str] = Counter()
    for chunk in stored_texts(layout):
        kinds = chunk["kind"]
        texts.update(kinds.to_pylist())
        truncated.update(kinds.filter(pa.array(cut.holds(hashes_of_ids(chunk["text_id"])))).to_pylist())
    return {name: {kind: found[kind] for kind in KINDS} for name, found in (("texts", texts), ("truncated", truncated))}


def _files(layout: Layout) -> Iterator[Path]:
    """The store's files that belong to it; copies for reading do not."""
    named = (layout.teacher, layout.texts, layout.held_out, layout.calibration, layout.fidelity)
    yield from (path for path in named if integrity.is_there(path, layout.root))
    yield from layout.shards()
