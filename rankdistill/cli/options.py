"""Options that several verbs have, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path, typer.Option(help="Collection: a folder in BEIR layout.")]
Lenient = Annotated[bool, typer.Option("--lenient", help="Leave bad rows out, with a report, instead of stopping.")]
IdenticalIds = Annotated[
    bool | None,
    typer.Option(
        "--ignore-identical-ids/--keep-identical-ids",
        help="Leave the document that has the query's own id out, or keep it; as the data set's meta.json says unless "
        "given, and where that says nothing, left out if it has the query's text.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Fusion = Annotated[str | None, typer.Option(help="How several indexes are fused: rrf, min_max or z_score.")]
Weights = Annotated[str | None, typer.Option(help="Of the fusion, one a system, as 0.7,0.3.")]
Split = Annotated[str, typer.Option(help="Which qrels.")]
Evaluated = Annotated[Path, typer.Option(help="Folder for results.json, per_query.parquet and the run.")]
MaxLength = Annotated[int | None, typer.Option(min=4, help="Tokens a text; the model's own unless given.")]
Backend = Annotated[str, typer.Option(help="What runs the model; auto takes the fastest exact one.")]
Latency = Annotated[int, typer.Option(help="Time this many queries one by one; 0 times none.", min=0)]
Unaligned = Annotated[
    bool, typer.Option("--unaligned", help="Trust that the two models share a space, which nothing says.")
]
