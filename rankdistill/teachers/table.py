"""The table teacher: scores that somebody has stored, looked up by the texts of a pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from rankdistill import manifest
from rankdistill.data import Dataset, score_tables
from rankdistill.data import load as load_data
from rankdistill.errors import DataError, TeacherError
from rankdistill.progress import Progress
from rankdistill.teachers.base import ScoreKind, check_scores, teacher_id
from rankdistill.teachers.names import called, choose
from rankdistill.teachers.settings import Settings as BaseSettings

_SHOWN = 3


class Settings(BaseSettings):
    """Settings of a `table` teacher.

    Args:
        path: a run or score file (TREC run, columns of text, Parquet), a folder of Parquet files, or a score store.
        data: folder in BEIR layout with the texts behind the ids.
        name: what the scores are called; `ScoreStore.teacher` finds them by it.
        score_kind: the unit of the scores.
        teacher: whose scores, where `path` is a score store; an id, a name, or the start of one, see `teachers.names`.
        unknown_ids: what to do about rows whose ids the data lacks: stop, or leave them out.
    """

    path: Path
    data: Path
    name: str
    score_kind: ScoreKind
    teacher: str | None = None
    unknown_ids: Literal["error", "drop"] = "error"


class TableTeacher:
    """Gives each pair of texts its stored score.

    Texts that occur under several ids are one text: the highest of their scores counts.

    Args:
        name: of the scores.
        score_kind: their unit.
        table: `score_tables.SCHEMA`, each pair once.
        dataset: the texts behind the ids.

    Raises:
        DataError: the table names an id that the data lacks.
    """

    def __init__(self, name: str, score_kind: ScoreKind, table: pl.DataFrame, dataset: Dataset) -> None:
        self.name, self._score_kind, self._dataset = name, score_kind, dataset
        self._table_hash = score_tables.content_hash(table)
        texts = ((document.doc_id, document.contents) for document in dataset.documents())
        self._queries = _Texts("query_id", table, dataset.query_texts.items())
        self._documents = _Texts("doc_id", table, texts)
        keys = self._keys(self._queries.numbers(table["query_id"]), self._documents.numbers(table["doc_id"]))
        order = np.lexsort((-table["score"].to_numpy(), keys))
        self._sorted_keys, first = np.unique(keys[order], return_index=True)
        self._scores = table["score"].to_numpy()[order][first]

    @property
    def score_kind(self) -> ScoreKind:
        """The unit of the stored scores."""
        return self._score_kind

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """Name, score kind, and the content of the table and of the data that gives its ids texts."""
        return {
            "kind": "table",
            "name": self.name,
            "score_kind": self.score_kind,
            "table": self._table_hash,
            "data": self._dataset.fingerprint,
        }

    @cached_property
    def teacher_id(self) -> str:
        """`table-<12 hex digits>`."""
        return teacher_id("table", self.fingerprint)

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """Stored scores, float32[n].

        Raises:
            TeacherError: pairs without a stored score.
        """
        queries = self._queries.of_texts([query for query, _ in pairs])
        documents = self._documents.of_texts([document for _, document in pairs])
        keys = np.where((queries < 0) | (documents < 0), -1, self._keys(queries, documents))
        places = np.minimum(np.searchsorted(self._sorted_keys, keys), len(self._sorted_keys) - 1)
        missing = np.flatnonzero(self._sorted_keys[places] != keys)
        if len(missing):
            raise self._lacks(pairs, missing)
        if progress is not None:
            progress(len(pairs))
        return check_scores(self.teacher_id, pairs, self._scores[places])

    def _keys(self, queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
        """One number for each pair of text numbers."""
        return queries * len(self._documents) + documents

    def _lacks(self, pairs: Sequence[tuple[str, str]], missing: np.ndarray) -> TeacherError:
        some = [pairs[row] for row in missing[:_SHOWN]]
        query_ids = {text: query_id for query_id, text in self._dataset.query_texts.items()}
        wanted = {text for _, text in some}
        doc_ids = {found.contents: found.doc_id for found in self._dataset.documents() if found.contents in wanted}
        shown = "; ".join(
            f"query {query_ids.get(query) or _excerpt(query)} with document {doc_ids.get(text) or _excerpt(text)}"
            for query, text in some
        )
        return TeacherError(
            expected=f"a stored score for each of {len(pairs)} pairs",
            got=f"table {self.name!r} lacks {len(missing)} of them: {shown}",
            consequence="none of these pairs was scored: a made-up score would be trained on",
            remedy="score only candidates that the table holds, or import the table and choose a policy for missing"
            " scores where the store is read",
        )


class _Texts:
    """Numbers the distinct texts that a table's ids stand for."""

    def __init__(self, column: str, table: pl.DataFrame, texts: Iterable[tuple[str, str]]) -> None:
        wanted = set(table[column].unique().to_list())
        self._number_of: dict[bytes, int] = {}
        self._by_id = {
            identifier: self._number_of.setdefault(_hash(text), len(self._number_of))
            for identifier, text in texts
            if identifier in wanted
        }
        unknown = sorted(wanted - self._by_id.keys())
        if unknown:
            raise _unknown(column, unknown)

    def __len__(self) -> int:
        return len(self._number_of)

    def numbers(self, identifiers: pl.Series) -> np.ndarray:
        """int64[n]: the number of each id's text."""
        return np.fromiter((self._by_id[identifier] for identifier in identifiers), np.int64, len(identifiers))

    def of_texts(self, texts: Sequence[str]) -> np.ndarray:
        """int64[n]: the number of each text, -1 for one that the table does not know."""
        return np.fromiter((self._number_of.get(_hash(text), -1) for text in texts), np.int64, len(texts))


def load(settings: Settings) -> TableTeacher:
    """The teacher.

    Raises:
        DataError: the table or the data cannot be used, or (unless dropped) the table names ids that the data lacks.
        StoreError: the score store has no such teacher.
    """
    dataset = load_data(settings.data)
    table = _read(settings)
    if settings.unknown_ids == "drop":
        known = pl.col("query_id").is_in(list(dataset.query_texts)) & pl.col("doc_id").is_in(dataset.doc_ids)
        table = _some(table.filter(known), settings)
    return TableTeacher(settings.name, settings.score_kind, table, dataset)


def _some(table: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    if not len(table):
        raise DataError(
            expected=f"rows of {settings.path} whose ids are in {settings.data}",
            got="none: every row was dropped",
            consequence="no teacher was loaded",
            remedy="give the data that the scores were made on",
        )
    return table


def _read(settings: Settings) -> pl.DataFrame:
    if not (settings.path / manifest.FILE_NAME).is_file():
        return score_tables.read(settings.path)
    store = manifest.expect(settings.path, "scores", "score")
    chosen = choose(called(settings.path, store.parameters["teachers"]), settings.teacher or None)
    shards = [settings.path / name for name in store.outputs if name.startswith(f"scores/{chosen}/")]
    return score_tables.read_parquet(shards, settings.path)


def _excerpt(text: str) -> str:
    return repr(f"{text[:60]} ...")


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _unknown(column: str, unknown: Sequence[str]) -> DataError:
    return DataError(
        expected=f"a table whose {column}s the data has",
        got=f"{len(unknown)} that it lacks, as {', '.join(unknown[:_SHOWN])}",
        consequence="nothing was used: such scores belong to texts that are not there",
        remedy="give the data that the scores were made on, or set `unknown_ids: drop`",
    )
