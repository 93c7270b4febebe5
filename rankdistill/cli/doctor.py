"""`rankdistill doctor`: what this machine has, and what to set."""

from __future__ import annotations

import typer

from rankdistill.cli.console import out

MARKS = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "problem": "[bold red]problem[/]"}


def doctor() -> None:
    """Check versions, threads, BLAS, Java and GPU; say what to set. Exits with 1 if something cannot work."""
    from rich.table import Table

    from rankdistill.diagnosis import examine

    findings = examine()
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        table.add_row(MARKS[finding.state], finding.subject, finding.text)
    out.print(table)
    for finding in findings:
        if finding.advice:
            out.print(f"{finding.subject}: {finding.advice}", markup=False, highlight=False, soft_wrap=True)
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(1)
