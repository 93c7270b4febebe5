"""Options that several verbs have, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli.help import MORE

Data = Annotated[Path, typer.Option(help="Collection: a folder in BEIR layout.")]
Lenient = Annotated[
    bool,
    typer.Option("--lenient", help="Leave bad rows out, with a report, instead of stopping.", rich_help_panel=MORE),
]
IdenticalIds = Annotated[
    bool | None,
    typer.Option(
        "--ignore-identical-ids/--keep-identical-ids",
        help="Leave the document that has the query's own id out, or keep it; as the data set's meta.json says unless "
        "given, and where that says nothing, left out if it has the query's text.",
        show_default=False,
        rich_help_panel=MORE,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Fusion = Annotated[str | None, typer.Option(help="How several indexes are fused: rrf, min_max or z_score.")]
Weights = Annotated[str | None, typer.Option(help="Of the fusion, one a system, as 0.7,0.3.")]
Split = Annotated[str, typer.Option(help="Which qrels.")]
Evaluated = Annotated[Path, typer.Option(help="Folder for results.json, per_query.parquet and the run.")]
MaxLength = Annotated[int | None, typer.Option(min=4, help="Tokens a text; the model's own unless given.")]
Backend = Annotated[
    str,
    typer.Option(
        help="What runs the model; auto takes a fast exact one, fast the fastest measured here that ranks as float32."
    ),
]
ApiKeyEnv = Annotated[
    str | None,
    typer.Option(help="Environment variable with the key (password, token) of the server; never the key itself."),
]
Latency = Annotated[
    int, typer.Option(help="Time this many queries one by one; 0 times none.", min=0, rich_help_panel=MORE)
]
Unaligned = Annotated[
    bool,
    typer.Option(
        "--unaligned", help="Trust that the two models share a space, which nothing says.", rich_help_panel=MORE
    ),
]

Teacher = Annotated[
    str, typer.Option(help="Teacher: a path, a hub id, pypi:DISTRIBUTION, or a YAML file with its kind and settings.")
]
Candidates = Annotated[Path, typer.Option(help="Made by `rankdistill mine`; or a store, for its candidates.")]
Store = Annotated[
    str,
    typer.Option("--out", help="Store to add the scores to, also s3://...; created if absent.", metavar="STORE"),
]
TeacherBackend = Annotated[
    str,
    typer.Option(
        help="What runs the model: auto (a fast exact one), fast (the fastest measured here that ranks as float32), "
        "torch, torch-bf16, torch-fp16 (GPU), onnx, onnx-int8, "
        "openvino, openvino-bf16, openvino-int8 (not exact, checked before the run)."
    ),
]
PairLength = Annotated[int | None, typer.Option(help="Tokens of a pair; the teacher's own by default.", min=8)]
TeacherName = Annotated[
    str | None,
    typer.Option(
        "--name",
        help="What to call the teacher in the store, for --teacher(s) of other verbs; its model's name will do too.",
    ),
]
Kind = Annotated[str, typer.Option(help="Kind of teacher; auto looks into the model.", rich_help_panel=MORE)]
UnitSize = Annotated[
    int | None,
    typer.Option(
        help="Pairs a shard: what a kill can cost; by default as many as take about half a minute, at most 8,192.",
        min=1,
        rich_help_panel=MORE,
    ),
]

LockWait = Annotated[
    float,
    typer.Option(help="Seconds to wait for another writer that starts or finishes.", min=0.0, rich_help_panel=MORE),
]
Executor = Annotated[
    str, typer.Option(help="Who does it: local, this process; ray, workers of a cluster.", rich_help_panel=MORE)
]
Workers = Annotated[
    int | None,
    typer.Option(help="Workers of --executor ray; one a GPU or core by default.", min=1, rich_help_panel=MORE),
]
Shard = Annotated[
    str,
    typer.Option(
        help="Do the work units of share i/n only, as one of n writers at the same store.", rich_help_panel=MORE
    ),
]

WHO_WORKS = ("--shard", "--executor", "--workers", "--lock-wait")
"""Flags that leave a store's bytes as they are, and stay out of its manifest."""
