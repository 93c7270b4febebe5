"""Reading a finished score store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from rankdistill import integrity, locations, manifest, plain_json, tables
from rankdistill.data import Dataset
from rankdistill.display import Shown
from rankdistill.errors import StoreError
from rankdistill.stores import keying, naming
from rankdistill.stores.fidelity import read_fidelity
from rankdistill.stores.kinds import LOOKED_AT, own_names, score_kind_of, shown_kind_of
from rankdistill.stores.layout import ARTEFACT, Layout
from rankdistill.stores.runs import StoreRun
from rankdistill.stores.shards import inspect
from rankdistill.stores.status import describe
from rankdistill.stores.texts import read_texts
from rankdistill.teachers.names import Called, choose, shown


class ScoreStore(Shown):
    """A finished store, read only; it prints as `rankdistill status` shows it.

    `run` tells what the call of a verb that gave this store did; None where it was only opened.

    Args:
        path: its folder, or a URL such as `s3://bucket/prefix`.
        collection: gives the texts of a store that holds ids only.
        queries: query id -> text, in place of what was scored: conversations, of which the teacher read rewrites. Other
            queries are not trained on.

    Raises:
        DataError: the folder is absent, or scoring has not finished (no manifest).
        RemoteError: the object store does not answer, or refuses.
    """

    def __init__(
        self, path: str | Path, collection: Dataset | None = None, queries: Mapping[str, str] | None = None
    ) -> None:
        self.path = locations.location(path)
        # Found again wherever the process goes later.
        self.layout = Layout(self.path.absolute() if locations.is_local(self.path) else self.path)
        self.collection, self.queries = collection, queries
        self.manifest = manifest.expect(self.path, ARTEFACT, "score")
        self.run: StoreRun | None = None

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        teachers = ", ".join(self.names.values())
        asked = f" of {self._texts(self.layout.queries):,} queries" if locations.is_file(self.layout.queries) else ""
        scores = sum(map(self._rows, self.teacher_ids))
        return f"ScoreStore({str(self.path)!r}: {scores:,} scores{asked} by {teachers})"

    def lines(self) -> list[str]:
        """State, texts, and for each teacher its scores."""
        return list(describe(self.layout.root, self.path))

    def to_polars(self) -> pl.DataFrame:
        """Every score: query_id, doc_id, teacher (its id), score, sorted by teacher, query_id, doc_id.

        All of them come into memory, some 50 bytes each; `scan` gives one teacher's as a lazy frame.

        Raises:
            StoreError: a shard is missing, cut off or foreign.
        """
        columns = ("query_id", "doc_id", "teacher", "score")
        found = [self.scan(known).rename({"teacher_id": "teacher"}).select(columns) for known in self.teacher_ids]
        if not found:
            return pl.DataFrame(schema=dict(zip(columns, (pl.String, pl.String, pl.String, pl.Float32), strict=True)))
        return pl.concat(found).collect().sort("teacher", "query_id", "doc_id")

    def to_json(self) -> dict[str, Any]:
        """Folder, texts, and of each teacher the number of scores, what they are in, and their fidelity."""
        texts = {path.stem: path for path in (self.layout.queries, self.layout.documents) if locations.is_file(path)}
        return {
            "store": str(self.path),
            **{name: self._texts(path) for name, path in texts.items()},
            "teachers": {
                known: {
                    "scores": self._rows(known),
                    "score_kind": score_kind_of(self._read_fingerprint(known)),
                    "fidelity": read_fidelity(self.layout, known),
                }
                for known in self.teacher_ids
            },
        }

    def _rows(self, teacher_id: str) -> int:
        return tables.count_rows(self.layout.shards(teacher_id))

    def _texts(self, path: Path) -> int:
        return tables.count_rows([path])

    @property
    def identity(self) -> str:
        """Content hash of the store: the hash of its files' hashes."""
        return manifest.digest(self.manifest.outputs)

    @cached_property
    def teacher_ids(self) -> list[str]:
        """The teachers whose scores are here, sorted; without those that are being scored still."""
        return sorted(Path(name).stem for name in self.manifest.outputs if name.startswith("teachers/"))

    @cached_property
    def names(self) -> dict[str, str]:
        """Teacher id -> what to show it as: the user's name, else the model's; its id where that is not one's own."""
        return shown(self._called)

    def given_name(self, teacher_id: str) -> str:
        """The name that its user gave the teacher, else its id; unlike `names`, it does not tell where a model lay."""
        chosen = self.teacher(teacher_id)
        return next(one.given[0] if one.given else chosen for one in self._called if one.teacher_id == chosen)

    def fingerprint(self, teacher_id: str) -> dict[str, Any]:
        """Everything that defines one teacher, which may be named as in `teacher`."""
        return self._read_fingerprint(self.teacher(teacher_id))

    def score_kinds(self) -> dict[str, str]:
        """Id, and name where there is one, of each teacher -> what its scores are in.

        It is what the fingerprint tells, but `rank` where the scores of a table show it; see `kinds.shown_kind_of`.
        """
        found: dict[str, str] = {}
        for known in self.teacher_ids:
            fingerprint = self._read_fingerprint(known)
            first = tables.scan_parquet(self._first_shards(known)).select("query_id", "score").head(LOOKED_AT).collect()
            kind = shown_kind_of(fingerprint, first)
            found |= {known: kind, str(fingerprint.get("name") or known): kind}
        return found

    def _first_shards(self, teacher_id: str) -> list[Path]:
        """Those of the teacher's shards that hold its first `LOOKED_AT` scores."""
        found, rows = [], 0
        for path in self.shards(teacher_id):
            found.append(path)
            rows += inspect([path])[0].rows
            if rows >= LOOKED_AT:
                break
        return found

    def own_names(self, teacher_id: str) -> frozenset[str]:
        """The names under which the teacher's own ranking may stand among the candidates; see `kinds.own_names`."""
        chosen = self.teacher(teacher_id)
        return own_names(chosen, self._read_fingerprint(chosen))

    def scan(self, teacher_id: str | None = None) -> pl.LazyFrame:
        """One teacher's scores (query_id, doc_id, teacher_id, score, key), as a lazy frame.

        Args:
            teacher_id: whose, or a name as in `teacher`; may be left out where the store holds one teacher.

        Raises:
            StoreError: no such teacher, several to choose from, or a shard is missing, cut off or foreign.
        """
        return tables.scan_parquet([shard.path for shard in inspect(self.shards(teacher_id))])

    def near(self, teacher_id: str | None = None) -> Callable[[str, str], pl.LazyFrame]:
        """(first, last) -> `scan` of the shards alone that may hold query ids from `first` to `last`; raises as `scan`.

        A frame over thousands of files looks at each of them whenever it is collected.
        """
        shards = inspect(self.shards(teacher_id))

        def scan(first: str, last: str) -> pl.LazyFrame:
            found = [shard.path for shard in shards if shard.may_hold(first, last)]
            return tables.scan_parquet(found or [shards[0].path])

        return scan

    def shards(self, teacher_id: str | None = None) -> list[Path]:
        """One teacher's files, each sorted by query_id, doc_id; a query may lie in several of them.

        Raises:
            StoreError: no such teacher, several to choose from, or a shard is missing.
        """
        chosen = self.teacher(teacher_id)
        shards = self.layout.shards(chosen)
        listed = [self.layout.root / name for name in self.manifest.outputs if name.startswith(f"scores/{chosen}/")]
        if set(shards) != set(listed):
            gone = sorted(path.name for path in {*listed} - {*shards})
            raise StoreError(
                expected=f"the {len(listed)} shards of {chosen} that the manifest lists",
                got=f"{len(shards)} in {self.path}" + (f"; {gone[0]} is missing" if gone else ""),
                consequence="nothing was read: scores would be missing silently",
                remedy="run the same `rankdistill score` again: it makes the missing ones",
            )
        return shards

    def scores(self, teacher_id: str | None = None) -> pl.DataFrame:
        """One teacher's raw scores: query_id, doc_id, score (float32), sorted by query_id, doc_id."""
        return self.scan(teacher_id).select("query_id", "doc_id", "score").sort("query_id", "doc_id").collect()

    def derivation(self, teacher_id: str | None = None) -> dict[str, Any]:
        """What is beside the store: the texts of a store of ids, and queries in place of its own; else nothing."""
        found = {} if self.has_texts or self.collection is None else {"texts": self.collection.fingerprint}
        return found if self.queries is None else found | {"queries": manifest.digest(dict(self.queries))}

    def count(self, teacher_id: str | None = None) -> int:
        """How many scores one teacher has here."""
        return int(self.scan(teacher_id).select(pl.len()).collect().item())

    def candidates(self) -> pl.DataFrame:
        """Every candidate row that was scored: the columns of `tables.CANDIDATES`, sorted."""
        return self.scan_candidates().collect().unique().sort("query_id", "source", "rank", "doc_id", nulls_last=True)

    def scan_candidates(self) -> pl.LazyFrame:
        """Every candidate row, as a lazy frame; unsorted, and a row stands once in each table that has it."""
        names = sorted(name for name in self.manifest.outputs if name.startswith("candidates/"))
        return tables.scan_parquet([self.layout.root / name for name in names])

    @property
    def has_texts(self) -> bool:
        """False for a store of ids only, as `rankdistill import` makes it without a collection."""
        return self.manifest.parameters.get(keying.FIELD) != "ids"

    def query_texts(self) -> Mapping[str, str]:
        """Query id -> text; StoreError if the store holds ids only and there is no collection."""
        if self.queries is not None:
            return self.queries
        return read_texts(self.layout.queries) if self.has_texts else self._require_collection().queries(None)

    def document_texts(self) -> Mapping[str, str]:
        """Document id -> text (title and text, as a teacher reads it); StoreError as for queries.

        Read only; each call reads the file anew, and keeps it as `rankdistill.data.text_store` says.
        """
        return read_texts(self.layout.documents) if self.has_texts else self._require_collection().contents

    def _require_collection(self) -> Dataset:
        if self.collection is None:
            raise StoreError(
                expected="a store with the texts that were scored",
                got=f"{self.path} holds ids only",
                consequence="nothing was read: there is no text to show to a model",
                remedy="give the collection as well (--data), or import the scores again with --data",
            )
        return self.collection

    def teacher(self, name: str | None = None) -> str:
        """The teacher_id that `name` stands for: an id, a user's name, a model's, or the start of one.

        Every place that takes a teacher of a store goes through this; see `rankdistill.teachers.names`.

        Args:
            name: may be left out where the store holds one teacher.

        Raises:
            StoreError: no such teacher, or several.
        """
        if name in self.teacher_ids:
            return str(name)
        return choose(self._called, name)

    @cached_property
    def _called(self) -> list[Called]:
        return naming.teachers_of(self.layout, self.teacher_ids)

    def _read_fingerprint(self, teacher_id: str) -> dict[str, Any]:
        return plain_json.read(integrity.require(self.layout.teacher(teacher_id)))
