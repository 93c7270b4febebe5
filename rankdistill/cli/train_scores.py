"""`rankdistill train --store`: a student from teacher scores."""

from __future__ import annotations

from pathlib import Path

from rankdistill.cli import console
from rankdistill.cli.collection import open_collection


def run(
    data: Path,
    store: Path,
    student: str,
    out: Path,
    config: Path | None,
    settings: dict[str, object],
    layers: list[int] | None,
    *,
    split: str | None,
    dev_split: str | None,
    teacher: str | None,
    teachers: str | None,
    ensemble: dict[str, str | None],
    lenient: bool,
    ignore_identical_ids: bool | None,
) -> None:
    """Train, with a bar, and print what came of it; settings that are None are the file's, or the defaults."""
    from rankdistill.training import config as reading

    chosen = reading.read(config, **settings)  # before the heavy imports

    from transformers.utils.logging import disable_progress_bar

    from rankdistill.cli.ensembles import scores_of
    from rankdistill.training.run import train

    disable_progress_bar()
    dataset = open_collection(data, dev_split, lenient, ignore_identical_ids)
    scores = scores_of(store, teacher, teachers, dataset, **ensemble)
    with console.progress("steps") as bar:
        task = bar.add_task("training", total=None)
        train(
            dataset,
            scores,
            student,
            out,
            chosen,
            split=split,
            keep_layers=layers,
            dev_split=dev_split,
            teacher_id=teacher,
            planned=lambda steps: bar.update(task, total=steps),
            progress=lambda done: bar.advance(task, done),
            command=console.command(),
        )
        done = bar.tasks[0].completed
        if not done:
            bar.remove_task(task)
    if not done:
        console.err.print(f"{out} is up to date", highlight=False, soft_wrap=True)
    _summarise(out)


def _summarise(out: Path) -> None:
    """Print what the log tells."""
    import json

    from rankdistill.training.artefact import LOG_FILE

    log = json.loads((out / LOG_FILE).read_text(encoding="utf-8"))
    for name, verdict in log.get("check", {}).get("verdicts", {}).items():
        if verdict["status"] in ("warn", "fail"):
            line = f"{verdict['status']}: {name}: {verdict['finding']}"
            console.err.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    console.note_clipping(log, "to heed them, raise max_gradient_norm in --config")
    for name, count in log["view"].items():
        if count:
            parts = {"": count} if isinstance(count, int) else count
            told = ", ".join(f"{part} {number:,}".lstrip() for part, number in parts.items())
            console.out.print(f"{name.replace('_', ' ')}: {told}", highlight=False, markup=False)
    scores = {point["step"]: point["value"] for point in log["dev_ndcg_at_10"]}
    if scores:
        best = log["best_step"]
        console.out.print(f"dev nDCG@10: {scores[0]:.4f} before, {scores[best]:.4f} at step {best}", highlight=False)
    console.out.print(f"student: {out}", highlight=False, soft_wrap=True)
