"""A run that was written before, as a system."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from rankdistill import files
from rankdistill.data import Dataset
from rankdistill.data.beir import LEFT_OUT
from rankdistill.errors import DataError
from rankdistill.evaluation import run_files
from rankdistill.evaluation.measures import Run, best_first
from rankdistill.evaluation.results import Evaluation
from rankdistill.evaluation.retrieve import search_others


class StoredRun:
    """What a system answered: a folder of `rankdistill evaluate`, a TREC run file, or a Parquet file of a run.

    The document that has the query's own id is left out where `dataset` leaves it out.

    Args:
        path: the folder or the file.
        dataset: the collection that it must be of.
        split: the split that it must answer.
        name: what tables call it; None: what the evaluation says, or the file's name.

    `system` is the fingerprint of what was evaluated; empty of a run file, which does not tell it.

    Raises:
        DataError: there is no such run, it answers another split or other data, it has foreign documents, or it was
            made without documents that `dataset` keeps.
    """

    def __init__(self, path: Path, dataset: Dataset, split: str, name: str | None = None) -> None:
        self.system: Mapping[str, Any] = {}
        title = path.name
        if path.is_dir():
            found = Evaluation.read(path)
            title, self.system = found.system.name, found.signature.get("system") or {}
            _require_same(path, found, dataset, split)
            path = run_files.find(path)
        self.path, self.name = path, name or title
        self._run, self._own = run_files.read(path), dataset.own_documents
        _require_known(path, self._run, dataset, split)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The hash of the run."""
        return {"run": files.hash_file(self.path)}

    @property
    def answered(self) -> Set[str]:
        """The queries that it has documents for."""
        return self._run.keys()

    def retrieve(self, queries: Mapping[str, str], k: int) -> Run:
        """The first `k` documents of each query; none for a query that the run does not answer."""
        return search_others(self._search, queries, k, self._own)

    def _search(self, queries: Mapping[str, str], k: int) -> Run:
        return {query_id: dict(best_first(self._run.get(query_id, {}))[:k]) for query_id in queries}


def _require_same(path: Path, found: Evaluation, dataset: Dataset, split: str) -> None:
    wanted = {"data_hash": dataset.fingerprint, "qrels_hash": dataset.qrels_hash(split), "split": split}
    differing = [f"{key} {found.signature.get(key)!r}" for key in wanted if found.signature.get(key) != wanted[key]]
    if found.signature.get(LEFT_OUT, 0) > dataset.left_out(split):
        differing.append(f"the documents of {found.signature[LEFT_OUT]} queries' own ids are left out there")
    if differing:
        raise DataError(
            expected=f"an evaluation on the split {split!r} of {dataset.path}",
            got=f"{path}: {', '.join(differing)}",
            consequence="nothing was done: it answers other queries",
            remedy="evaluate that system on this --data and --split; where documents were left out there, "
            "give --ignore-identical-ids here too",
        )


def _require_known(path: Path, run: Run, dataset: Dataset, split: str) -> None:
    if not run.keys() & dataset.queries(split).keys():
        raise DataError(
            expected=f"a run that answers queries of the split {split!r}",
            got=f"{path}, which answers none of them",
            consequence="nothing was done",
            remedy="give the run of this split",
        )
    known = set(dataset.doc_ids)
    for query_id, scores in run.items():
        for doc_id in scores:
            if doc_id not in known:
                raise DataError(
                    expected=f"a run over the documents of {dataset.path}",
                    got=f"document {doc_id!r} for query {query_id!r} in {path}",
                    consequence="nothing was done",
                    remedy="give the collection that the run was made on",
                )
