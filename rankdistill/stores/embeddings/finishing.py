"""The last phase of embedding: once every unit has its shard, texts and manifest are written and the plan goes."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rankdistill import files, integrity, manifest, tables
from rankdistill.stores import times
from rankdistill.stores.embeddings import shards
from rankdistill.stores.embeddings.fidelity import read_fidelity
from rankdistill.stores.embeddings.gathering import Gathered
from rankdistill.stores.embeddings.identity import vector_key
from rankdistill.stores.embeddings.layout import ARTEFACT, Layout
from rankdistill.stores.embeddings.planning import stored_texts
from rankdistill.stores.embeddings.teacher_file import REFERENCE, read_teacher
from rankdistill.stores.embeddings.text_files import KINDS
from rankdistill.stores.made_again import tell_others, unit_of, vouch_for_planned
from rankdistill.stores.plan import Plan, discard_plan, read_plan


def finish(layout: Layout, plan: Plan, gathered: Gathered, command: str) -> int:
    """Write texts and manifest if no unit is left; whoever comes last does it. The number of units left.

    Call it while holding the store's lock. The plan goes after the manifest, so no plan means that it was written.

    Args:
        layout: the store.
        plan: what the caller worked on.
        gathered: the texts that it is for.
        command: the command line.
    """
    if read_plan(layout.plan) != plan:
        return 0
    left = plan.left(layout.vectors)
    if not left:
        files.remove_temporaries(layout.vectors)
        files.remove_temporaries(layout.root, keep_living=True)
        with (
            integrity.replacing(layout.texts, layout.root) as temporary,
            layout.planned_texts.open("rb") as source,
            temporary.open("wb") as target,
        ):
            shutil.copyfileobj(source, target)
        times.settle(layout.root, str(read_teacher(layout)["teacher_id"]), layout.plan)
        _write_manifest(layout, plan.unit_size, gathered, command)
        discard_plan(layout.plan)
    return len(left)


def _write_manifest(layout: Layout, unit_size: int, gathered: Gathered, command: str) -> None:
    earlier = manifest.read(layout.root)
    vouch_for_planned(layout.root, layout.plan, layout.vectors, earlier)
    before: Mapping[str, Any] = earlier.parameters if earlier else {}
    fidelity = read_fidelity(layout)
    teacher = {name: value for name, value in read_teacher(layout).items() if name != REFERENCE}
    paths = [*_files(layout)]
    for path in paths:
        if path.suffix == ".parquet" and not (earlier and path.relative_to(layout.root).as_posix() in earlier.outputs):
            tables.require_pages(path)  # of this run or a killed one, perhaps damaged since
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
    stored = frozenset(shards.keys(layout.shards()))
    wanted = (identifier for chunk in stored_texts(layout) for identifier in chunk["text_id"].to_pylist())
    return all(vector_key(identifier, teacher_id) in stored for identifier in wanted)


def _counts(layout: Layout) -> dict[str, dict[str, int]]:
    """How many texts of each kind there are, and of how many the teacher read only the beginning."""
    cut = set(shards.truncated_ids(layout.shards()))
    texts: Counter[str] = Counter()
    truncated: Counter[str] = Counter()
    for chunk in stored_texts(layout):
        kinds = chunk["kind"].to_pylist()
        texts.update(kinds)
        pairs = zip(kinds, chunk["text_id"].to_pylist(), strict=True)
        truncated.update(kind for kind, identifier in pairs if identifier in cut)
    return {name: {kind: found[kind] for kind in KINDS} for name, found in (("texts", texts), ("truncated", truncated))}


def _files(layout: Layout) -> Iterator[Path]:
    """The store's files that belong to it; copies for reading do not."""
    named = (layout.teacher, layout.texts, layout.held_out, layout.calibration, layout.fidelity)
    yield from (path for path in named if integrity.is_there(path, layout.root))
    yield from layout.shards()
