"""Writing a store in the form that another tool trains from."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rankdistill import files, manifest
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, DataError, OutputError
from rankdistill.formats import registry, texts
from rankdistill.formats.content import Choice, Export, ExportReport
from rankdistill.formats.groups import GroupReader, Missing
from rankdistill.formats.record_files import check_suffix
from rankdistill.formats.texts import Texts
from rankdistill.stores.reader import ScoreStore


def export(
    format_name: str,
    store: ScoreStore,
    out: Path,
    *,
    dataset: Dataset | None = None,
    teacher: str | None = None,
    choice: Choice | None = None,
    sources: Sequence[str] = (),
    missing: Missing = "error",
    command: str = "",
) -> ExportReport:
    """Write one teacher's scores of a store's candidates to `out`; equal stores give equal bytes.

    Args:
        format_name: a key of `registry.FORMATS`.
        store: a finished store.
        out: a file, or a folder for formats that are one; must not exist. See `output`.
        dataset: the collection, for texts; None: the store's own.
        teacher: its id, a name of it, or the start of one, as `ScoreStore.teacher` takes it; None where the store has
            one.
        choice: which negatives, for formats of rows.
        sources: only candidates of these sources; empty: all.
        missing: a candidate without a score: `error`, or `drop` it and count it.
        command: the command line, for the manifest of formats that are a folder.

    Raises:
        ConfigError: no such format, or a suffix that it does not take.
        StoreError: no such teacher, a missing score, or no texts.
        DataError: nothing to write, or a text is missing.
        OutputError: `out` exists, or cannot be written.
    """
    form, out = registry.named(format_name), output(format_name, out)
    _require_new(out)
    if form.suffixes:
        check_suffix(out, form.suffixes)
    teacher_id = store.teacher(teacher)
    _require_sources(store, sources)
    reader = GroupReader(store, teacher_id, sources, missing)
    needed = texts.load(store, dataset, reader.doc_ids()) if form.needs_texts else Texts()
    exported = Export(reader, needed, store.given_name(teacher_id), choice or Choice())
    with files.atomic_path(out) as target:
        try:
            form.write(target, exported)
            if not exported.report.rows:
                raise _nothing(exported.report)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)  # a folder; of a file, `atomic_path` disposes
            raise
        if target.is_dir() and manifest.read(target) is None:
            _describe(exported, format_name, command).write(target)
    return exported.report


def output(format_name: str, out: Path) -> Path:
    """Where `export` writes: a file named without a suffix gets the first one of the format.

    Raises:
        ConfigError: no such format.
        OutputError: `out` has no name.
    """
    suffixes = registry.named(format_name).suffixes
    if not out.name:
        raise OutputError(
            expected="the name of a file or folder to write",
            got=repr(str(out)),
            consequence="nothing was written",
            remedy="give one that does not exist yet",
        )
    return out.with_name(out.name + suffixes[0]) if suffixes and not out.suffix else out


def _require_new(out: Path) -> None:
    files.remove_temporaries_of(out)
    if out.exists():
        raise OutputError(
            expected="an output that does not exist",
            got=str(out),
            consequence="nothing was written: what is there is kept",
            remedy="choose another output, or remove it",
        )


def _require_sources(store: ScoreStore, sources: Sequence[str]) -> None:
    import polars as pl

    if not sources:
        return
    known = set(store.scan_candidates().select(pl.col("source").unique()).collect()["source"])
    if unknown := sorted(set(sources) - known):
        raise ConfigError(
            expected=f"sources of the store's candidates: {', '.join(sorted(known))}",
            got=", ".join(map(repr, unknown)),
            consequence="nothing was written",
            remedy="name one of those",
        )


def _describe(exported: Export, format_name: str, command: str) -> manifest.Manifest:
    reader = exported.reader
    parameters = {"format": format_name, "teacher": reader.teacher_id, "sources": list(reader.sources)}
    return manifest.Manifest(
        artefact="export",
        inputs={"scores": reader.store.identity},
        parameters=parameters | {"missing": reader.missing} | asdict(exported.choice),
        versions=manifest.versions_of("pyarrow"),
        command=command,
    )


def _nothing(report: ExportReport) -> DataError:
    reasons = ", ".join(f"{name} {count}" for name, count in report.to_json().items() if count)
    return DataError(
        expected="rows to write: queries with a labelled positive and enough negatives",
        got=f"none; {reasons or 'no candidates'}",
        consequence="nothing was written",
        remedy="import or mine with the split's labels, or ask for fewer negatives",
    )
