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
Split = Annotated[str, typer.Option(help="Whose queries and judgements.")]
EncoderBackend = Annotated[str, typer.Option(help="What runs the models; auto takes the fastest exact one.")]
Unaligned = Annotated[
    bool, typer.Option("--unaligned", help="Trust that the two models share a space, which nothing says.")
]
