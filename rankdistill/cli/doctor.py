"""`rankdistill doctor`: what this machine has, and what to set."""

from __future__ import annotations

import typer

from rankdistill.cli import console
from rankdistill.cli.options import Json


def doctor(json: Json = False) -> None:
    """Check versions, threads, BLAS, Java and GPU; say what to set. Exits with 1 if something cannot work."""
    from rankdistill.diagnosis import Diagnosis, examine

    found = Diagnosis(examine())
    console.show(found, json)
    if not found.works:
        raise typer.Exit(1)
