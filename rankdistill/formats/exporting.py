"""Writing a store in the form that another tool trains from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from rankdistill import files, manifest
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, DataError, OutputError
from rankdistill.formats import registry, texts
from rankdistill.formats.groups import Group, GroupReader, Missing, Scored
from rankdistill.formats.record_files import check_suffix
from rankdistill.formats.texts import Texts
from rankdistill.stores.reader import ScoreStore

Order = Literal["hardest", "random"]


@dataclass(frozen=True)
class Choice:
    """Which negatives go with a positive, and what is written about them.

    Args:
        negatives: how many; None: the format's default.
        order: those with the highest teacher scores, or any (by hash of seed and ids).
        seed: of the random choice.
        margins: write score(positive) - score(negative) where the format may hold either.
    """

    negatives: int | None = None
    order: Order = "hardest"
    seed: int = 0
    margins: bool = False


@dataclass
class ExportReport:
    """What was written, and what was left out and why."""

    queries: int = 0
    rows: int = 0
    skipped_unlabelled_queries: int = 0
    skipped_rows_with_few_negatives: int = 0
    dropped_pairs_without_score: int = 0

    def to_json(self) -> dict[str, int]:
        """The fields."""
        return asdict(self)


@dataclass(frozen=True)
class Export:
    """What a format writes from.

    Args:
        reader: the queries with their scored documents.
        texts: of queries and documents; empty where the format holds none.
        name: of the teacher.
        choice: which negatives, for formats of rows.
        report: counts what is written.
    """

    reader: GroupReader
    texts: Texts
    name: str
    choice: Choice
    report: ExportReport = field(default_factory=ExportReport)

    def groups(self, labelled: bool = False) -> Iterator[Group]:
        """The queries in the order of their ids; `labelled`: only those with a positive."""
        for group in self.reader:
            if labelled and not group.positives:
                self.report.skipped_unlabelled_queries += 1
                continue
            self.report.queries += 1
            self.report.rows += 1
            yield group
        self.report.dropped_pairs_without_score = self.reader.without_score

    def rows(self, negatives: int | None = None) -> Iterator[tuple[str, Scored, list[Scored]]]:
        """(query id, positive, its negatives): one row a positive; rows with fewer negatives than asked are skipped.

        Args:
            negatives: how many if the user does not say; None: all there are, at least one.
        """
        wanted = self.choice.negatives or negatives
        for group in self.groups(labelled=True):
            self.report.rows -= 1
            for positive in group.positives:
                if len(group.negatives) < (wanted or 1):
                    self.report.skipped_rows_with_few_negatives += 1
                    continue
                self.report.rows += 1
                yield group.query_id, positive, self._choose(group, positive)[:wanted]

    def _choose(self, group: Group, positive: Scored) -> list[Scored]:
        if self.choice.order == "hardest":
            return group.negatives

        def draw(document: Scored) -> bytes:
            words = (str(self.choice.seed), group.query_id, positive.doc_id, document.doc_id)
            return blake2b("\0".join(words).encode(), digest_size=8).digest()

        return sorted(group.negatives, key=draw)


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
        teacher: its id or name; None where the store has one.
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
    name = str(store.fingerprint(teacher_id).get("name", teacher_id))
    exported = Export(reader, needed, name, choice or Choice())
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
    """
    suffixes = registry.named(format_name).suffixes
    return out.with_name(out.name + suffixes[0]) if suffixes and not out.suffix else out


def _require_new(out: Path) -> None:
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
            got=", ".join(unknown),
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
