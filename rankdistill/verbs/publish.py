"""`publish`: a student checked before it is published, the files for hub and leaderboard, and sending them."""

from __future__ import annotations

from collections.abc import Sequence
from os import fspath
from pathlib import Path
from typing import Any

from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation.results import Results
from rankdistill.evaluation.tasks.model_meta import require_name
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.publishing import hub, preflight, settings
from rankdistill.publishing.result import Published
from rankdistill.verbs.arguments import Model, Place, listed, place_of, reference_of, require_range
from rankdistill.verbs.contract import verb


@verb
def publish(
    student: Model,
    out: Place,
    *,
    results: Place | Sequence[Place],
    name: str | None = None,
    config: Place | None = None,
    lineage: Place | Sequence[Place] = (),
    data_root: Place | None = None,
    report: Place | Results | Sequence[Place | Results] = (),
    latency: int = 50,
    mock_run: bool = True,
    dry_run: bool = False,
    push: bool = False,
    submit: bool = False,
    progress: ProgressLike = False,
    command: str = "",
) -> Published:
    """Check a student and its results on mteb's tasks, and write what hub and leaderboard take; nothing leaves unasked.

    A check that refuses raises nothing here: `ready` of what is returned is False, and the command ends with 2. What it
    writes is there to be looked at all the same.

    Args:
        student: folder of a student, or of a bundle with its router.
        out: folder for the card, the code of its `ModelMeta`, the results and the checks.
        results: what `evaluate` with `tasks` wrote for this student, or several such folders.
        name: `ORGANISATION/MODEL`; that of `config`, or of the results, unless given.
        config: YAML file with what no manifest knows: licence, links, training data of models (docs/publish.md).
        lineage: folders, or models, in or below which stores, collections, teachers and models lie; what manifests'
            commands name is looked into anyway. Each is known by its content's hash.
        data_root: folder with the tasks' data; that of the results' command unless given.
        report: what `compare` or `verdict` wrote of this student and others, for the card; one of its systems must have
            the student's weights.
        latency: queries timed one by one; 0 times none.
        mock_run: whether mteb's mock tasks are run on it; without them nothing is published.
        dry_run: say that nothing is to be sent; it is not without `push` or `submit` either.
        push: upload the weights and the card to the hub, if no check refuses.
        submit: open a pull request with the results in mteb's repository, if no check refuses.
        progress: True tells on standard error; or a function that takes the number of training texts just scanned.
        command: the command line, for the manifest.

    Returns:
        The publication, which prints as its checks.

    Raises:
        ConfigError: a name or settings that cannot be; `dry_run` with `push` or `submit`.
        DataError: no student, no results, a report without the student, files that were edited; where something is to
            be sent, a check that refuses, no token, no network.
        StaleOutputError: `out` holds another publication.
        MissingDependencyError: mteb is not installed.
    """
    require_range(0, latency=latency)
    if dry_run and (push or submit):
        raise ConfigError(
            expected="a dry run, or something to send",
            got=f"dry_run with {'push' if push else 'submit'}",
            consequence="nothing was published",
            remedy="leave one of them out",
        )
    asked = preflight.Asked(
        student=_folder(student),
        results=[place_of(one) for one in listed(results)],
        name=None if name is None else require_name(name),
        details=settings.read(None if config is None else place_of(config)),
        places=[fspath(one) for one in listed(lineage)],
        data_root=None if data_root is None else place_of(data_root),
        reports=[_report(one) for one in listed(report)],
        latency=latency,
        mock=mock_run,
    )
    if push:
        hub.require_token()
    with reporter_of(progress).stage("publish", "texts") as stage:
        published = preflight.prepare(asked, place_of(out), command, stage)
    return preflight.send(published, asked, push, submit) if push or submit else published


def _folder(student: Model) -> Path:
    path = Path(reference_of(student))
    if path.is_dir():
        return path
    raise DataError(
        expected="the folder of a student or a bundle",
        got=f"{path}, which is none",
        consequence="nothing was published",
        remedy="give what `rankdistill train` or `rankdistill bundle` wrote",
    )


def _report(given: Any) -> Results:
    return given if isinstance(given, Results) else Results.read(place_of(given))
