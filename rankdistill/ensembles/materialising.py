"""An ensemble written down as a score store of one teacher, which everything that reads a store can use."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from rankdistill import files, integrity, locations, manifest, tables
from rankdistill.ensembles.combining import PAIR, Coverage
from rankdistill.ensembles.source import Ensemble
from rankdistill.errors import StaleOutputError
from rankdistill.notes import note, tell
from rankdistill.progress import Progress
from rankdistill.stores import keying
from rankdistill.stores.keys import pair_key, text_hash, unit_digest
from rankdistill.stores.layout import ARTEFACT, Layout

CHUNK_ROWS = 32_768


def write(
    ensemble: Ensemble,
    out: Path,
    *,
    name: str = "ensemble",
    command: str = "",
    progress: Progress | None = None,
) -> Coverage:
    """Write `ensemble` into a new store at `out`: one teacher, its texts and its candidates.

    Scores are streamed; only a hash a text is held. With the policy `intersect` only the candidates that were kept go
    over. The counts of missing scores are in the teacher's file and the manifest. What is there is not made again.

    Args:
        ensemble: what to write.
        out: folder of the store.
        name: what people may call the teacher.
        command: the command line, for the manifest.
        progress: called with the number of pairs just written.

    Returns:
        What was missing, and what became of it.

    Raises:
        StaleOutputError: `out` holds something else.
        StoreError: scores are missing; see `combining.join`.
        OutputError: the disk is full or read-only.
    """
    layout, teacher_id = Layout(out), ensemble.teacher_id
    inputs = {f"store:{ensemble.store.identity[:16]}": ensemble.store.identity}
    with files.exclusive(out):
        if (counts := _finished(layout, ensemble, inputs)) is not None:
            tell(f"{out} is up to date")
            return Coverage(**counts)
        files.remove_temporaries(out)
        # Of an interrupted run, perhaps over other scores.
        texts = [path for path in (layout.queries, layout.documents) if locations.is_file(path)]
        for path in (*layout.shards(teacher_id), *layout.candidate_tables(), *texts):
            path.unlink()
        source = ensemble.store.layout
        if ensemble.store.has_texts:
            _copy(source.queries, layout.queries)
            _copy(source.documents, layout.documents)
        coverage = _write_scores(ensemble, layout, progress)
        _write_candidates(source, layout, teacher_id, filtered=ensemble.missing == "intersect")
        teacher = (
            ensemble.fingerprint
            | {
                "name": name,
                "score_kind": ensemble.score_kind,
            }
            | ensemble.counted(coverage)
            | _keying(ensemble)
        )
        files.write_text(layout.teacher(teacher_id), json.dumps(teacher, indent=1, sort_keys=True) + "\n")
        _write_manifest(layout, inputs, {"teachers": {teacher_id: teacher}} | _keying(ensemble), command)
    return coverage


def _keying(ensemble: Ensemble) -> dict[str, str]:
    return {} if ensemble.store.has_texts else {keying.FIELD: "ids"}


def _finished(layout: Layout, ensemble: Ensemble, inputs: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The counts of the same ensemble of the same store, if `layout` holds it; None if there is nothing of another."""
    found = manifest.read(layout.root)
    strangers = [known for known in layout.teacher_ids() if known != ensemble.teacher_id]
    if found is not None and found.inputs == inputs and not strangers:
        if locations.is_local(layout.root) and (wrong := integrity.first_wrong(layout.root, found)) is not None:
            note(f"{wrong[0].path} is {wrong[1]}: {layout.root} is made again")
            (layout.root / manifest.FILE_NAME).unlink()
            return None
        return found.parameters["teachers"][ensemble.teacher_id]["coverage"]
    if found is None and not strangers:
        return None
    raise StaleOutputError(
        expected=f"{layout.root} to be empty, or to hold {ensemble.teacher_id} of the same store",
        got="a folder of " + (f"the teachers {', '.join(strangers)}" if strangers else "another store's scores"),
        consequence="nothing was changed: the old output is kept",
        remedy="choose another output, or remove the old one",
    )


def _write_scores(ensemble: Ensemble, layout: Layout, progress: Progress | None) -> Coverage:
    """One shard a range, as `Ensemble.pieces` cuts them."""
    teacher_id, coverage = ensemble.teacher_id, Coverage.nothing(ensemble.members)
    query_hash, document_hash = _hasher(ensemble, layout.queries), _hasher(ensemble, layout.documents)
    number = 0
    for piece in ensemble.pieces():
        coverage += piece.coverage
        rows = ensemble.combine(piece)
        if not rows.height:
            continue
        keys = [
            pair_key(query_hash(query_id), document_hash(doc_id), teacher_id)
            for query_id, doc_id in rows.select(PAIR).iter_rows()
        ]
        shard = layout.scores(teacher_id) / f"part-{number:06d}-{unit_digest(keys)}.parquet"
        columns = rows.select(*PAIR, pl.lit(teacher_id).alias("teacher_id"), "score", pl.Series("key", keys))
        tables.write_parquet(shard, columns.to_arrow().cast(tables.SCORES))
        number += 1
        if progress:
            progress(rows.height)
    return coverage


def _hasher(ensemble: Ensemble, path: Path) -> Callable[[str], bytes]:
    """Id -> hash of its text in `path`, or of the id itself in a store of ids only."""
    if not ensemble.store.has_texts:
        return text_hash
    with tables.open_parquet(path) as texts:
        hashes = {
            identifier: text_hash(text)
            for batch in texts.iter_batches()
            for identifier, text in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
        }
    return hashes.__getitem__


def _write_candidates(source: Layout, layout: Layout, teacher_id: str, filtered: bool) -> None:
    for path in source.candidate_tables():
        kept = layout.candidates / path.name
        if not filtered:
            _copy(path, kept)
            continue
        with (
            files.atomic_path(kept) as temporary,
            pq.ParquetWriter(temporary, tables.CANDIDATES, **tables.WRITTEN) as writer,
        ):
            for chunk in _scored(path, layout.shards(teacher_id)):
                writer.write_table(chunk)


def _scored(candidates: Path, shards: list[Path]) -> Iterator[pa.Table]:
    """The candidates that have a score, chunk by chunk, in their order."""
    if not shards:
        return
    scores = tables.scan_parquet(shards).select(PAIR)
    with tables.open_parquet(candidates) as table:
        for batch in table.iter_batches(CHUNK_ROWS):
            rows = pl.DataFrame(pl.from_arrow(batch))
            low, high = rows["query_id"].min(), rows["query_id"].max()
            near = scores.filter(pl.col("query_id").is_between(pl.lit(low), pl.lit(high))).collect()
            kept = rows.join(near, on=PAIR, how="semi", maintain_order="left")
            yield kept.select(tables.CANDIDATES.names).to_arrow().cast(tables.CANDIDATES)


def _copy(place: Path, copy: Path) -> None:
    with files.atomic_path(copy) as temporary, place.open("rb") as source, temporary.open("wb") as target:
        shutil.copyfileobj(source, target)


def _write_manifest(layout: Layout, inputs: Mapping[str, str], parameters: Mapping[str, Any], command: str) -> None:
    written = [path for path in (layout.queries, layout.documents) if locations.is_file(path)]
    written += layout.candidate_tables()
    for teacher_id in layout.teacher_ids():
        written += [layout.teacher(teacher_id), *layout.shards(teacher_id)]
    manifest.Manifest(
        artefact=ARTEFACT,
        inputs=inputs,
        parameters=parameters,
        versions=manifest.versions_of("polars", "pyarrow"),
        command=command,
        outputs=integrity.hashes(layout.root, written, None),
    ).write(layout.root)
