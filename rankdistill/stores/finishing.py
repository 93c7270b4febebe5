"""The last phase of scoring: once every unit of a plan has its shard, the manifest is written and the plan goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from rankdistill import files, locations, manifest, plain_json
from rankdistill.stores import keying
from rankdistill.stores.answers import forget_answers
from rankdistill.stores.fidelity import read_fidelity
from rankdistill.stores.layout import ARTEFACT, Layout
from rankdistill.stores.missing import forget_plan
from rankdistill.stores.plan import Plan, read_plan


def finish(layout: Layout, teacher_id: str, plan: Plan, inputs: Mapping[str, str], command: str) -> int:
    """Write the manifest if no unit is left; whoever comes last does it. The number of units left.

    Call it while holding the store's lock. The plan goes after the manifest, so no plan means that it was written.

    Args:
        layout: the store.
        teacher_id: whose plan it is.
        plan: what the caller worked on.
        inputs: name -> content hash of what was read, added to those of earlier runs.
        command: the command line.
    """
    if read_plan(layout.plan(teacher_id)) != plan:
        return 0
    left = plan.left(layout.scores(teacher_id))
    if not left:
        finished = [
            known for known in layout.teacher_ids() if known == teacher_id or read_plan(layout.plan(known)) is None
        ]
        files.remove_temporaries(layout.scores(teacher_id))
        files.remove_temporaries(layout.root, keep_living=finished != layout.teacher_ids())
        forget_answers(layout.root, teacher_id)
        write_manifest(layout, finished, plan.unit_size, inputs, command)
        forget_plan(layout, teacher_id)
    return len(left)


def write_manifest(
    layout: Layout, finished: list[str], unit_size: int, inputs: Mapping[str, str], command: str
) -> None:
    """Write the manifest of a store with the teachers in `finished`; call it while holding the store's lock."""
    earlier = manifest.read(layout.root)
    checked = {known: read_fidelity(layout, known) for known in finished}
    fidelity = {known: record for known, record in checked.items() if record is not None}
    written = {path.relative_to(layout.root).as_posix(): files.hash_file(path) for path in _files(layout, finished)}
    manifest.Manifest(
        artefact=ARTEFACT,
        inputs=(dict(earlier.inputs) if earlier else {}) | dict(inputs),
        parameters={
            "unit_size": unit_size,
            "teachers": {known: plain_json.read(layout.teacher(known)) for known in finished},
        }
        | ({"fidelity": fidelity} if fidelity else {})
        | ({keying.FIELD: "ids"} if keying.keyed_by(layout) == "ids" else {}),
        versions=manifest.versions_of("pyarrow", "torch", "transformers", "sentence-transformers"),
        command=command,
        outputs=written,
    ).write(layout.root)


def _files(layout: Layout, finished: list[str]) -> Iterator[Path]:
    """The store's files; of teachers that are being scored still, none."""
    yield from layout.candidate_tables()
    yield from (path for path in (layout.queries, layout.documents, layout.calibration) if locations.is_file(path))
    for teacher_id in finished:
        yield layout.teacher(teacher_id)
        if locations.is_file(layout.fidelity(teacher_id)):
            yield layout.fidelity(teacher_id)
        yield from layout.shards(teacher_id)
