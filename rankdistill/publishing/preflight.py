"""The preflight: evidence gathered, every check run, the publication written; then, if asked, sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from rankdistill import files, locations, manifest, models, plain_json
from rankdistill.bundles.layout import is_bundle
from rankdistill.errors import DataError
from rankdistill.evaluation.footprint import Footprint, footprint
from rankdistill.evaluation.results import Results
from rankdistill.evaluation.systems import Latency
from rankdistill.evaluation.tasks.model_meta import content_revision, prompts_of, towers_of
from rankdistill.evaluation.tasks.results import META, RESULTS, WITHOUT
from rankdistill.indexing.kinds import of_model
from rankdistill.making import making, visible_files
from rankdistill.progress import Progress, ignore
from rankdistill.provenance.atlas import Atlas, atlas_under
from rankdistill.provenance.found import at
from rankdistill.publishing import disclosure, hub, mteb_model, registry, reports, result, writing
from rankdistill.publishing.evidence import Evidence, Judged, TaskFile, model_folder, task_files
from rankdistill.publishing.leakage.scanning import Scan, scan
from rankdistill.publishing.lineage import Lineage, trace
from rankdistill.publishing.result import Published
from rankdistill.publishing.settings import Details
from rankdistill.teachers import names

SAMPLE = ("what is distillation?", "how deep is the river", "treatment of the common cold", "price of glass")
"""Queries that are timed where no test's are at hand."""


@dataclass(frozen=True)
class Asked:
    """What is to be published, and how.

    Args:
        student: folder of a student or a bundle.
        results: folders of `evaluate --tasks`.
        name: `ORGANISATION/MODEL`; None: of the details, or as the results have it.
        details: what its publisher says.
        places: where its lineage is looked for besides.
        data_root: folder with a collection a task; None: as the results' command has it.
        reports: comparisons and verdicts for the card.
        latency: queries that are timed; 0 times none.
        mock: whether mteb's mock tasks are run.
    """

    student: Path
    results: Sequence[Path]
    name: str | None
    details: Details
    places: Sequence[str] = ()
    data_root: Path | None = None
    reports: Sequence[Results] = ()
    latency: int = 50
    mock: bool = True


def prepare(asked: Asked, out: Path, command: str = "", progress: Progress = ignore) -> Published:
    """Check a student and its results, and write the publication into `out`, whatever the checks say; nothing is sent.

    Args:
        asked: what is published.
        out: its folder; one that holds this very publication is left as it is.
        command: the command line, for the manifest.
        progress: told of training texts that were scanned.

    Raises:
        DataError: no student, no results, a report without the student, or `out` was edited.
        ConfigError: the details say something of what is not in the lineage.
        StaleOutputError, OutputError: `out` holds something else.
        MissingDependencyError: mteb is not installed.
    """
    model = model_folder(asked.student)
    reports.require_about(asked.student, asked.reports)
    revision = content_revision(str(asked.student))
    data_root = asked.data_root or _root_of(asked.results)
    tasks, metas = task_files(asked.results, data_root)
    name = asked.name or asked.details.name or str(_told(metas).get("name"))
    lineage = trace(asked.student, _atlas(asked))
    disclosure.require_used(lineage, asked.details)
    versions = manifest.versions_of("mteb", "huggingface_hub", "sentence-transformers")
    wanted = manifest.Manifest(
        artefact=result.ARTEFACT,
        inputs={"student": revision, "details": manifest.digest(asked.details.model_dump(mode="json"))}
        | {"model": _hash_of(asked.student)}
        | {f"results:{place}": _digest(folder) for place, folder in enumerate(asked.results)}
        | {f"report:{place}": manifest.digest(one.to_json()) for place, one in enumerate(asked.reports)},
        parameters={
            "name": name,
            "lineage": lineage.to_json(),
            "data": {
                one.name if subset == WITHOUT else f"{one.name}/{subset}": dataset.fingerprint
                for one in tasks
                for subset, dataset in one.datasets.items()
            },
            "qrels": {
                one.name: {name: dict(part.qrels_hashes) for name, part in one.datasets.items()} for one in tasks
            },
            "latency": asked.latency,
            "mock": asked.mock,
            "mteb": versions.get("mteb"),  # revisions, training data and mock tasks are those that it knows
        },
        versions=versions,
        command=command,
    )
    if asked.mock and manifest.is_current(out, wanted) and not Published.read(out).was_run:
        require_unchanged(out)
        (out / manifest.FILE_NAME).unlink()  # what the mock tasks lacked may be installed by now
    with making(out, wanted, again=None) as made:
        if not made.current:
            evidence = _gathered(asked, model, name, revision, tasks, metas, lineage, progress)
            findings = {check: run(evidence) for check, run in registry.CHECKS.items()}
            writing.write(out, evidence, model, findings, asked.reports)
            made.wrote(_written(out))
    finish_filing(out)
    require_unchanged(out)
    return Published.read(out)


def send(published: Published, asked: Asked, push: bool, submit: bool) -> Published:
    """Upload the model, where `push` asks for it, and open the pull request, where `submit` does.

    The results of a pushed model are filed under its commit, which is what mteb loads it by. Killed behind the upload,
    the same call goes on with that commit.

    Raises:
        DataError: a check refuses, no token, no network.
    """
    if not published.ready:
        raise DataError(
            expected="a publication that no check refuses",
            got=published.sentence,
            consequence="nothing was sent",
            remedy="look at the table of checks; `preflight.json` has it",
        )
    out, sent = published.path, []
    meta = _meta_in(published)
    if push:
        filing = _filing(out)
        commit = hub.push(published.name, model_folder(asked.student), out) if filing is None else filing.commit
        sent.append(f"https://huggingface.co/{published.name} has the model, commit {commit}")
        published, meta = filed_under(published, commit)
        hub.push_figures(meta, out)
        with files.output_errors(out):
            (out / writing.FILING).unlink(missing_ok=True)
    if submit:
        sent.append(f"results submitted: {hub.submit(meta, out)}")
    return replace(published, sent=sent)


def filed_under(published: Published, commit: str) -> tuple[Published, Any]:
    """The publication with the commit of the hub for its revision, and the model's `ModelMeta`.

    Raises:
        DataError: what lies there cannot be read.
    """
    out, filing = published.path, Filing(published.name, published.revision, commit)
    if _filing(out) is None:
        files.write_text(out / writing.FILING, json.dumps(asdict(filing)) + "\n")
    finish_filing(out)
    found = Published.read(out)
    return found, _meta_in(found)


@dataclass(frozen=True)
class Filing:
    """What a model that was uploaded is filed by; in `writing.FILING` from the upload until its figures are sent.

    Args:
        name: of the model.
        before: the revision that its results were under.
        commit: of the hub.
    """

    name: str
    before: str
    commit: str


def _filing(out: Path) -> Filing | None:
    """What was noted; None where nothing was uploaded, or all was sent."""
    try:
        return Filing(**plain_json.loads((out / writing.FILING).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def finish_filing(out: Path) -> None:
    """Put the hub's commit where the revision was in a publication that was uploaded; where it is already, it stays.

    Raises:
        DataError: a file was edited, added or removed.
    """
    if (filing := _filing(out)) is None:
        return
    made = manifest.expect(out, result.ARTEFACT, "publish")
    with files.exclusive(out):
        files.remove_temporaries(out, keep_living=True)
        _require_as_written(out, made.outputs, filing)
        old = out / RESULTS / filing.name.replace("/", "__") / filing.before
        target = old.with_name(filing.commit)
        if target != old and old.is_dir():
            with files.output_errors(out):
                old.rename(target)
        for path in (out / writing.CARD, out / writing.CODE, out / result.FILE_NAME, target / META):
            if filing.before in (text := path.read_text(encoding="utf-8")):
                files.write_text(path, text.replace(filing.before, filing.commit))
        outputs = {path.relative_to(out).as_posix(): files.hash_file(path) for path in _written(out)}
        replace(made, outputs=outputs).write(out)


def _require_as_written(out: Path, outputs: Mapping[str, str], filing: Filing) -> None:
    """Raise DataError unless every file is what the manifest has, with the revision or the commit in it."""
    there = {path.relative_to(out).as_posix(): path.read_bytes() for path in _written(out)}
    wanted = {name.replace(filing.before, filing.commit): content for name, content in outputs.items()}
    new, old = filing.commit.encode(), filing.before.encode()
    for name, content in there.items():
        known = wanted.pop(name.replace(filing.before, filing.commit), None)
        forms = (content, content.replace(new, old))
        if known not in [hashlib.sha256(one).hexdigest() for one in forms]:
            raise _changed(out, name)
    if wanted:
        raise _changed(out, min(wanted))


def _changed(out: Path, name: str) -> DataError:
    return DataError(
        expected=f"the publication in {out} as its checks saw it",
        got=f"{name}, which was edited, added or removed",
        consequence="nothing was sent",
        remedy="remove the folder and publish again; what is to be said besides stands in --config",
    )


def require_unchanged(out: Path) -> None:
    """Raise DataError where a file of a publication is not as it was written."""
    made = manifest.expect(out, result.ARTEFACT, "publish")
    there = {path.relative_to(out).as_posix(): files.hash_file(path) for path in _written(out)}
    changed = sorted(name for name in {*there, *made.outputs} if there.get(name) != made.outputs.get(name))
    if changed:
        raise _changed(out, changed[0])


def _gathered(
    asked: Asked,
    model: Path,
    name: str,
    revision: str,
    tasks: Sequence[TaskFile],
    metas: Mapping[Path, Any],
    lineage: Lineage,
    progress: Progress,
) -> Evidence:
    found = disclosure.disclose(lineage, asked.details)
    said = {*found.datasets, *(asked.details.training_datasets or ())}
    told = _told(metas)
    meta = mteb_model.published_meta(
        told, asked.student, model, name, revision, asked.details, sorted(said), found.adapted_from
    )
    failed, mocked = mteb_model.mock_run(asked.student, model, meta) if asked.mock else (None, 0)
    return Evidence(
        student=asked.student,
        name=name,
        revision=revision,
        details=asked.details,
        tasks=tasks,
        metas=metas,
        lineage=lineage,
        disclosure=found,
        scans=_scans(tasks, lineage, progress),
        prompts=_prompts(asked.student),
        meta=meta,
        mock=failed,
        mocked=mocked,
        footprint=_footprint(asked.student),
        latency=_latency(asked.student, tasks, asked.latency),
    )


def _atlas(asked: Asked) -> Atlas:
    """What may stand for the inputs of what is published."""
    words = [str(asked.student), *asked.places, *map(str, asked.results)]
    roots = [Path(word) for word in words if Path(word).is_dir()]
    return atlas_under(roots, references=[word for word in words if word.startswith(names.PACKAGE)])


def _told(metas: Mapping[Path, Any]) -> Mapping[str, Any]:
    """What the evaluation wrote of the model."""
    found: Mapping[str, Any] = next(iter(metas.values()), {})
    return found


def _scans(tasks: Sequence[TaskFile], lineage: Lineage, progress: Progress) -> dict[tuple[str, Judged], Scan]:
    if not lineage.texts:
        return {}
    return {
        (one.name, test): scan(dataset, test.split, lineage.texts, progress)
        for one in tasks
        for test, dataset in one.known
    }


def _footprint(student: Path) -> Footprint:
    sizes = [footprint(one) for one in towers_of(str(student))]
    known = [size.model_bytes for size in sizes if size.model_bytes is not None]
    counted = [size.parameters for size in sizes if size.parameters is not None]
    return Footprint(
        sum(known) if len(known) == len(sizes) else None, sum(counted) if len(counted) == len(sizes) else None
    )


def _prompts(student: Path) -> dict[str, str]:
    """What the student puts before a text, from its own files."""
    reference = str(student)
    kind = of_model(reference, "exact")
    found = {"encoder": dict(kind.open_queries(reference, "torch", None, None).fingerprint)}
    if is_bundle(reference):
        found["documents"] = dict(kind.open_documents(reference, "torch", None).fingerprint)
    return prompts_of(found)


def _latency(student: Path, tasks: Sequence[TaskFile], count: int) -> Latency | None:
    """Milliseconds to encode one query alone."""
    if not count:
        return None
    import time

    import numpy as np

    queries = [text for one in tasks for test, data in one.known for text in data.queries(test.split).values()]
    chosen = list(islice(queries or SAMPLE, count))
    encoder = of_model(str(student), "exact").open_queries(str(student), "auto", None, None)
    elapsed = []
    encoder.encode_queries(chosen[:1])
    for text in chosen:
        start = time.perf_counter()
        encoder.encode_queries([text])
        elapsed.append(1000 * (time.perf_counter() - start))
    p50, p99 = np.percentile(elapsed, [50, 99])
    return Latency(p50=round(float(p50), 2), p99=round(float(p99), 2), queries=len(chosen))


def _root_of(results: Sequence[Path]) -> Path | None:
    """The `--data-root` of the command that made the results, where that folder is there."""
    import shlex

    for folder in results:
        found = at(folder)
        made = found.manifest if found is not None else None
        words = shlex.split(made.command) if made is not None else []
        for word, after in zip(words, [*words[1:], ""], strict=True):
            flag, _, value = word.partition("=")
            root = Path(value or after).expanduser()
            if flag == "--data-root" and root.is_dir():
                return root
    return None


def _hash_of(student: Path) -> str:
    """The hash that stands for a student in lineages: of its weights, or of all of a bundle."""
    made = manifest.read(student) if is_bundle(str(student)) else None
    return models.resolve(str(student)).weights_hash if made is None else made.identity


def _digest(folder: Path) -> str:
    """Hash of what lies in a folder of results now, whatever its manifest says; of what it wrote, it stands for it."""
    there = (path for path in visible_files(folder) if path != folder / manifest.FILE_NAME)
    return manifest.digest({path.relative_to(folder).as_posix(): files.hash_file(path) for path in there})


def _written(out: Path) -> list[Path]:
    """All files of a publication; the hub's folder of results has a dot before its name."""
    return [
        path
        for path in locations.listing(out, "**/*")
        if path.is_file() and path.name not in (files.LOCK_NAME, manifest.FILE_NAME, writing.FILING)
    ]


def _meta_in(published: Published) -> Any:
    """The `ModelMeta` that the code of the publication makes."""
    from mteb.models.model_meta import ModelMeta

    made: dict[str, Any] = {}
    exec(compile((published.path / writing.CODE).read_text(encoding="utf-8"), writing.CODE, "exec"), made)
    return next(value for value in made.values() if isinstance(value, ModelMeta))
