"""Reading scores, or candidates, that others made: into a store as a teacher, or into a folder of candidates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from rankdistill import files, manifest, tables
from rankdistill.data import Dataset
from rankdistill.data.bad_rows import Mode
from rankdistill.errors import ConfigError, DataError
from rankdistill.formats import registry
from rankdistill.formats.identity import TextIds
from rankdistill.formats.merging import Merged, merge
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row, RowError
from rankdistill.formats.source import Rejects, Source
from rankdistill.formats.spool import Spool, file_and_line
from rankdistill.making import making
from rankdistill.progress import Progress
from rankdistill.stores.importing import ScoreTable, add_table
from rankdistill.stores.keying import keyed_by
from rankdistill.stores.layout import Layout
from rankdistill.stores.texts import read_texts
from rankdistill.teachers.base import ScoreKind

LARGEST = 3.4028234663852886e38
"""The largest float32."""

REPORT_EVERY = 10_000


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Args:
        pairs: unique (query, document) pairs.
        queries: how many queries they have.
        added: False if the output held all of it already.
        rejected: rows that were left out.
        reports: `file:line: problem` of the first of those.
    """

    pairs: int
    queries: int
    added: bool
    rejected: int
    reports: Sequence[str] = field(repr=False)


@dataclass(frozen=True)
class Request:
    """What to import.

    Args:
        format_name: a key of `registry.FORMATS`.
        inputs: files, or folders of them.
        name: of the teacher, and of the candidates' source where the file names none.
        score_kind: the unit of the scores; None where nobody knows it.
        dataset: the collection, for texts and labels; None: the file's own texts, those of the store that is added to,
            or ids only.
        split: whose labels; None: every split's.
        lenient: leave bad rows out instead of stopping.
        allow_pickle: pickles may be read.
    """

    format_name: str
    inputs: Sequence[Path]
    name: str
    score_kind: ScoreKind | None = None
    dataset: Dataset | None = None
    split: str | None = None
    lenient: bool = False
    allow_pickle: bool = False

    def labels(self) -> Mapping[str, Mapping[str, int]]:
        """query_id -> doc_id -> label of the collection; DataError if there is no such split."""
        if self.dataset is None:
            return {}
        splits = self.dataset.splits if self.split is None else [self.split]
        found: dict[str, dict[str, int]] = {}
        for split in splits:
            for query_id, judged in self.dataset.qrels(split).items():
                found.setdefault(query_id, {}).update(judged)
        return found


def import_scores(request: Request, out: Path, *, command: str = "", progress: Progress | None = None) -> Imported:
    """Add the scores of a file to the store `out`, as the teacher `request.name`.

    Without a collection, a file of ids takes its texts from the store if that has texts; each id must have one there.
    Rows are sorted on disk (in the folder that TMPDIR names), so memory does not grow with the file; ids, and texts
    where there are any, are kept in memory. The same import again changes nothing.

    Args:
        request: what.
        out: the store; created if absent.
        command: the command line, for the manifest.
        progress: called with the number of rows just read or written.

    Raises:
        ConfigError: no such format, score kind, or a pickle that was not allowed.
        DataError: the file cannot be read, has bad rows (strict), or none that can be used.
        StoreError, StaleOutputError, LockedError, OutputError: see `rankdistill.stores.importing.add_table`.
    """
    _check(request)
    with files.temporary_folder() as folder:
        merged, ids, rejects = _read(request, folder, True, progress, _stored_texts(request, out))
        texts = (ids.queries, ids.documents) if ids.known else None
        description = {"format": request.format_name, "content": merged.content}
        if request.score_kind:
            description["score_kind"] = request.score_kind
        inputs = {f"table:{request.name}": merged.content} | _dataset_inputs(request)
        table = ScoreTable(request.name, description, merged.scores, merged.candidates, texts, inputs)
        added = add_table(out, table, command=command, progress=progress)
    return _imported(merged, rejects, added)


def import_candidates(request: Request, out: Path, *, command: str = "", progress: Progress | None = None) -> Imported:
    """Write the pairs of a file as candidates into the folder `out`, to be scored with `rankdistill score`.

    Arguments and errors are those of `import_scores`; rows need no score.
    """
    _check(request)
    with files.temporary_folder() as folder:
        merged, _, rejects = _read(request, folder, False, progress)
        digest = files.hash_file(merged.candidates)
        parameters = {"format": request.format_name, "source": request.name, "split": request.split}
        wanted = manifest.Manifest(
            artefact="candidates",
            inputs={f"table:{request.name}": digest} | _dataset_inputs(request),
            parameters=parameters,
            versions=manifest.versions_of("pyarrow", "polars"),
            command=command,
            outputs={tables.CANDIDATES_FILE: digest},
        )
        with making(out, wanted) as made:
            if not made.current:
                with files.atomic_path(out / tables.CANDIDATES_FILE) as temporary:
                    temporary.write_bytes(merged.candidates.read_bytes())
    return _imported(merged, rejects, not made.current)


def _stored_texts(request: Request, out: Path) -> tuple[Mapping[str, str], Mapping[str, str]] | None:
    """The texts of the store that is added to, where neither the collection nor the file brings any."""
    layout = Layout(out)
    if request.dataset is not None or registry.named(request.format_name).needs_texts or keyed_by(layout) != "texts":
        return None
    return read_texts(layout.queries), read_texts(layout.documents)


def _read(
    request: Request,
    folder: Path,
    with_scores: bool,
    progress: Progress | None,
    stored: tuple[Mapping[str, str], Mapping[str, str]] | None = None,
) -> tuple[Merged, TextIds, Rejects]:
    form, ids = registry.named(request.format_name), TextIds(request.dataset, stored)
    mode: Mode = "lenient" if request.lenient else "strict"
    rejects = Rejects(mode, f"{request.format_name} data without bad rows")
    labels, spool = request.labels(), Spool(folder)
    paths: list[Path] = []
    for path in request.inputs:
        whole = Source(path, ids, rejects, request.allow_pickle)
        for part in form.parts(whole):
            source = replace(whole, path=part)
            spool.extend(len(paths), _usable(form, source, with_scores, progress))
            paths.append(part)
    rejects.finish()

    def reject(place: int, problem: str) -> None:
        file, line = file_and_line(place)
        rejects.add(paths[file], line, problem)

    merged = merge(spool, folder, request.name, labels, reject, with_scores)
    rejects.finish()
    if not merged.pairs:
        raise _nothing(request, rejects)
    return merged, ids, rejects


def _usable(form: Format, source: Source, with_scores: bool, progress: Progress | None) -> Iterator[Row]:
    """The rows with a finite score and known ids."""
    count, ids = 0, source.ids
    for count, row in enumerate(form.read(source), start=1):
        if progress and count % REPORT_EVERY == 0:
            progress(REPORT_EVERY)
        value = row.value
        if value is None:
            if with_scores:
                source.reject(row.line, "no score; --as candidates takes rows without one, to be scored here")
                continue
        elif not -LARGEST <= value <= LARGEST:
            source.reject(row.line, f"the score {value!r} is not finite")
            continue
        if ids.known:
            try:
                ids.require(row.query_id, row.doc_id)
                if row.positive_id is not None:
                    ids.require(row.query_id, row.positive_id)
            except RowError as error:
                source.reject(row.line, str(error))
                continue
        yield row
    if progress:
        progress(count % REPORT_EVERY)


def _check(request: Request) -> None:
    form = registry.named(request.format_name)
    if request.score_kind is not None and request.score_kind not in get_args(ScoreKind):
        raise ConfigError(
            expected=f"a score kind among {', '.join(get_args(ScoreKind))}",
            got=repr(request.score_kind),
            consequence="nothing was read",
            remedy="choose the unit of the scores",
        )
    if not request.name.strip():
        raise ConfigError(
            expected="a name for the teacher", got="none", consequence="nothing was read", remedy="give --teacher-name"
        )
    if request.dataset is not None and not request.dataset.query_texts:
        raise DataError(
            expected="a collection with queries, whose ids the file names",
            got=f"{request.dataset.path}: documents alone",
            consequence="nothing was read",
            remedy="add queries.jsonl to the collection",
        )
    if request.split is not None and request.dataset is None:
        raise ConfigError(
            expected="--data with --split",
            got="--split alone",
            consequence="nothing was read: labels come from the collection",
            remedy="give the collection with --data",
        )
    for path in request.inputs:
        if not path.exists():
            raise DataError(
                expected=f"a {form.name} file or folder", got=f"{path}: there is none", consequence="nothing was read",
                remedy="give the right path",
            )  # fmt: skip


def _dataset_inputs(request: Request) -> dict[str, str]:
    dataset = request.dataset
    if dataset is None:
        return {}
    splits = dataset.splits if request.split is None else [request.split]
    found = {f"dataset:{dataset.fingerprint[:16]}": dataset.fingerprint}
    return found | {f"qrels:{split}": dataset.qrels_hash(split) for split in splits}


def _imported(merged: Merged, rejects: Rejects, added: bool) -> Imported:
    return Imported(merged.pairs, merged.queries, added, rejects.count, rejects.reports)


def _nothing(request: Request, rejects: Rejects) -> DataError:
    return DataError(
        expected=f"rows in {', '.join(map(str, request.inputs))}",
        got="; ".join(["none that can be used", *rejects.reports[:1]]),
        consequence="nothing was written",
        remedy="check the file and --format",
    )
