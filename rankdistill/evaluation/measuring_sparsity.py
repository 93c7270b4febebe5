"""The prunings of one sparse model on one split, written to a folder and not measured twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill import manifest
from rankdistill.data import Dataset
from rankdistill.evaluation.measuring import read_result
from rankdistill.evaluation.sparsity import FILE_NAME, Pruning, Sparsity, measure
from rankdistill.making import making
from rankdistill.progress import Progress

if TYPE_CHECKING:
    from rankdistill.inference.sparse_encoder import SparseTextEncoder

ARTEFACT = "sparsity"


def measure_sparsity(
    encoder: SparseTextEncoder,
    dataset: Dataset,
    split: str,
    prunings: Sequence[Pruning],
    out: Path,
    *,
    command: str = "",
    progress: Progress = lambda done: None,
) -> Sparsity:
    """Encode the queries of `split` and all documents once, and write what each pruning costs and gives into `out`.

    Args:
        encoder: of both.
        dataset: queries, documents and qrels.
        split: of the qrels.
        prunings: beside the whole vectors.
        out: folder; if it already holds these very measurements, they are returned.
        command: the command line, for the signature.
        progress: called with the number of texts encoded or searches done since the last call.

    Raises:
        DataError: no such split.
        StaleOutputError: `out` holds other measurements.
    """
    wanted = manifest.Manifest(
        artefact=ARTEFACT,
        inputs={
            "data": dataset.fingerprint,
            "qrels": dataset.qrels_hash(split),
            "model": manifest.digest(dict(encoder.fingerprint)),
        },
        parameters={"split": split, "prunings": [asdict(pruning) for pruning in prunings], **dataset.decisive(split)},
        versions=manifest.versions_of("ir-measures", "numpy", "scipy", "sentence-transformers", "torch"),
        command=command,
    )
    with making(out, wanted, again=False) as made:
        if made.current:
            return read_result(Sparsity, out / FILE_NAME).lying_in(out)
        queries, contents = dataset.queries(split), dataset.contents
        rows = measure(
            (list(queries), encoder.encode_queries(list(queries.values()), progress)),
            (list(contents), encoder.encode_documents(list(contents.values()), progress)),
            dataset.qrels(split),
            prunings,
            progress,
            dataset.own_documents,
        )
        signature = {
            "inputs": dict(wanted.inputs),
            "model": dict(encoder.fingerprint),
            "versions": dict(wanted.versions),
            "command": command,
        }
        result = Sparsity(dataset.name, split, len(queries), len(contents), rows, signature)
        result.write(out)
        made.wrote()
    return result.lying_in(out)


def read_sparsity(folder: Path) -> Sparsity:
    """The measurements that lie in `folder`; DataError where there are none."""
    manifest.expect(folder, ARTEFACT, "sparsity")
    return read_result(Sparsity, folder / FILE_NAME).lying_in(folder)
