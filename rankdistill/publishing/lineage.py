"""What a student comes from as a publication tells it: models with what they were to it, collections, training texts.

What stands for the hashes that manifests hold is asked of an atlas, as for every lineage; what is not found is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rankdistill.bundles.layout import ARTEFACT as BUNDLE
from rankdistill.data import Dataset, load
from rankdistill.data.beir import UNJUDGED
from rankdistill.errors import RankdistillError
from rankdistill.manifest import COLLECTION, Manifest
from rankdistill.provenance.atlas import MADE, Atlas
from rankdistill.provenance.found import Artefact, at
from rankdistill.provenance.keys import parts_of, scored_by, scoring
from rankdistill.sessions import Sessions
from rankdistill.sessions import lineage as sessions_lineage
from rankdistill.sessions import read as read_sessions
from rankdistill.sessions.lineage import TEACHER_OF_REWRITES
from rankdistill.sessions.reading import is_sessions
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.stores.reader import ScoreStore
from rankdistill.training import inputs as trained_on

START, TEACHER, DOCUMENTS, QUERIES = "start of training", "teacher", "document tower", "query tower"
GENERATOR = "generator of queries"

BATCH = 10_000
"""Texts of a store that are strings at once."""

OWN = (START, QUERIES)
"""What the model that is published goes on from; the start of any other parent is none of its own."""

BESIDE = {
    "in_batch_teacher": TEACHER,
    "alignment_teacher": TEACHER,
    "token_teacher": TEACHER,
    TEACHER_OF_REWRITES: TEACHER,
    "document_tower": DOCUMENTS,
}
"""Input of a student that is a model or a store of vectors beside its scores -> what it was to the student."""

WITHIN = ("teacher", "model", "first_stage")
"""Field of a teacher's fingerprint -> the fingerprint of a model that it asks."""


@dataclass
class Parent:
    """A model that the student comes from.

    Args:
        called: what people call it: its reference, a service's model, a table's name.
        weights: hash of its weights; None for one that is not a model's file.
        roles: what it was to the student, or to another parent.
        made: what made it, where that was us; its own parents are then in the lineage too.
        reference: where it lies; None where it was not found.
    """

    called: str
    weights: str | None
    roles: list[str] = field(default_factory=list)
    made: Manifest | None = None
    reference: str | None = None

    @property
    def title(self) -> str:
        """Its name without the folders above it."""
        is_path = self.called.startswith(("/", ".", "~")) or Path(self.called).is_dir()
        return Path(self.called).name if is_path else self.called

    @property
    def is_leaf(self) -> bool:
        """Whether it is somebody else's, so that its training data must be known from elsewhere."""
        return self.made is None


@dataclass
class Source:
    """A collection, or a file of texts, that was trained on.

    Args:
        called: its name: what it was fetched by, or its folder's.
        fingerprint: hash of its content.
        roles: what was taken from it.
        dataset: itself; None for a file of texts, or where it was not found.
    """

    called: str
    fingerprint: str
    roles: list[str] = field(default_factory=list)
    dataset: Dataset | None = None


@dataclass(frozen=True)
class Texts:
    """Texts that something was trained on.

    Args:
        where: of which artefact.
        queries: gives the query-like ones.
        documents: gives the others.
    """

    where: str
    queries: Callable[[], Iterable[str]]
    documents: Callable[[], Iterable[str]]


@dataclass(frozen=True)
class Lineage:
    """All that a student comes from.

    Args:
        made: what made the student; None where nothing tells.
        parents: models, by the hash of their weights or by name.
        sources: collections and files of texts, by fingerprint.
        texts: what was trained on.
        missing: a sentence for each input that was not found.
    """

    made: Manifest | None
    parents: Mapping[str, Parent]
    sources: Mapping[str, Source]
    texts: Sequence[Texts]
    missing: Sequence[str]

    @property
    def leaves(self) -> list[Parent]:
        """The models of others."""
        return [one for one in self.parents.values() if one.is_leaf]

    def to_json(self) -> dict[str, Any]:
        """Models and collections with their roles, without any place; and what is missing."""
        return {
            "models": [
                {"name": one.title, "weights": one.weights, "roles": one.roles, "ours": not one.is_leaf}
                for one in self.parents.values()
            ],
            "collections": [
                {"name": one.called, "fingerprint": one.fingerprint, "roles": one.roles}
                for one in self.sources.values()
            ],
            "missing": list(self.missing),
        }


def trace(student: Path, atlas: Atlas) -> Lineage:
    """What the student (or the bundle) in the folder `student` comes from.

    Args:
        student: its folder.
        atlas: what may stand for its inputs.
    """
    return _Tracing(atlas).of(student)


class _Tracing:
    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self.parents: dict[str, Parent] = {}
        self.sources: dict[str, Source] = {}
        self.texts: list[Texts] = []
        self.missing: list[str] = []
        self._below = ""

    def of(self, folder: Path) -> Lineage:
        found = at(folder)
        made = found.manifest if found is not None else None
        if found is None or made is None:
            self.missing.append(f"{folder.name} has no manifest.json: nothing tells what it was trained on")
        else:
            self._inputs(found, made)
        return Lineage(made, self.parents, self.sources, self.texts, self.missing)

    def _inputs(self, artefact: Artefact, made: Manifest) -> None:
        """The inputs of one artefact."""
        read, called = dict(made.inputs), artefact.path.name
        if made.artefact == BUNDLE:
            self._model(read["query_model"], QUERIES, f"the bundle {called}")
            self._model(read["document_model"], DOCUMENTS, f"the bundle {called}")
            return
        for name in ("student", "model", "base"):
            if read.get(name, "static") != "static":
                self._model(read[name], START, called)
        conversations = sessions_lineage.trained_on(read)
        if "embeddings" in read and conversations is None:
            self._embeddings(read["embeddings"], called)
        for name, role in BESIDE.items():
            for key in parts_of(read, name):
                self._teacher(key, role, called)
        if conversations is not None:
            self._conversations(conversations, artefact)
        elif "scores" in read:
            self._scores(artefact, made)
        if made.artefact == "teacher":
            self._taught(made, called)

    def _model(self, weights: str, role: str, child: str) -> None:
        told, known = self._role(role), self.parents.get(weights)
        if known is not None:
            # What stands behind a model that only wrote queries is not the student's; as a teacher's it is.
            now_more = GENERATOR not in told and all(GENERATOR in one for one in known.roles)
            known.roles += [told] if told not in known.roles else []
            if not (now_more and known.made is not None):
                return
        ours = next((one for one in self.atlas.standing_for(weights) if one.kind in MADE), None)
        reference = str(ours.path) if ours is not None else self.atlas.model(weights)
        if not reference:
            self.missing.append(f"the {role} of {child}, a model with weights {weights[:12]}")
            self.parents[weights] = Parent(f"a model with weights {weights[:12]}", weights, [told])
            return
        made = ours.manifest if ours is not None else None
        if known is None:
            self.parents[weights] = Parent(reference, weights, [told], made, reference)
        if ours is not None and made is not None:
            before, texts, missing = self._below, len(self.texts), len(self.missing)
            self._below = before if role in OWN else told
            self._inputs(ours, made)
            self._below = before
            if known is not None:  # the first time these were found already
                del self.texts[texts:], self.missing[missing:]

    def _role(self, role: str) -> str:
        """What a model is to what is published that is `role` to the one that is looked at."""
        return of_a(role, self._below) if self._below else role

    def _teacher(self, identity: str, role: str, child: str) -> None:
        """A teacher of a batch, or the tower of its documents: a store of vectors, or a model."""
        standing = {one.kind for one in self.atlas.standing_for(identity)}
        if "embeddings" in standing:
            self._embeddings(identity, child, role)
        elif identity in self.parents or standing & set(MADE) or self.atlas.model(identity):
            self._model(identity, role, child)
        else:
            what = "teacher of the whole batch" if role == TEACHER else role
            self.missing.append(f"the {what} of {child}, with identity {identity[:12]}")

    def _fingerprint(self, found: Mapping[str, Any], child: str, role: str = TEACHER) -> None:
        """The models that a teacher's fingerprint names: its own, those of its members, those that it asks."""
        weights = found.get("weights")
        if isinstance(weights, str):
            self._model(weights, role, child)
            return
        members = found.get("members")
        below = [*members.values()] if isinstance(members, Mapping) else [found.get(name) for name in WITHIN]
        if asked := [one for one in below if isinstance(one, Mapping)]:
            for one in asked:
                self._fingerprint(one, child, role)
            return
        request = found.get("request")
        called = str(found.get("name") or (request or {}).get("model") or found.get("kind"))
        known, told = self.parents.setdefault(called, Parent(called, None)), self._role(role)
        known.roles += [told] if told not in known.roles else []

    def _embeddings(self, identity: str, child: str, role: str = TEACHER) -> None:
        standing = [one for one in self.atlas.standing_for(identity) if one.kind == "embeddings"]
        if not standing:
            self.missing.append(f"the store of vectors that {child} was aligned with (identity {identity[:12]})")
            return
        store = EmbeddingStore(standing[0].path)
        self._fingerprint(store.fingerprint, child, role)
        gathered = store.manifest.parameters.get("gathered", {})
        for fingerprint in self._gave(_datasets(store.manifest), gathered):
            self._collection(fingerprint, "texts", child)
        for name, fingerprint in store.manifest.inputs.items():
            if name.startswith("texts:"):
                self._source(fingerprint, f"texts {fingerprint[:12]}", "texts")
        _name_files(self.sources, gathered)
        self.texts.append(Texts(str(store.path.name), _kind(store, "query"), _kind(store, "document")))

    def _gave(self, fingerprints: Sequence[str], gathered: Mapping[str, Any]) -> list[str]:
        """Those collections that texts were taken from: one that is judged on alone gave none.

        A collection that has another name by now counts as one that gave some, where a name fits none.
        """
        left = {part.rpartition(":")[0] for part in gathered if ":" in part}
        fitting: list[tuple[str, set[str]]] = []
        others: list[tuple[str, set[str]]] = []
        for fingerprint in fingerprints:
            dataset = self._dataset(fingerprint)
            named: set[str] = set() if dataset is None else {dataset.name, f"{dataset.name}-{fingerprint[:8]}"}
            (fitting if named & left else others).append((fingerprint, named))
        for _, named in fitting:
            left -= named
        return [fingerprint for fingerprint, _ in (fitting + others if left else fitting)]

    def _scores(self, student: Artefact, made: Manifest) -> None:
        """The store of scores that a student was trained on, known by the scores' hash where one teacher gave them."""
        derived, child = made.parameters.get("derivation") or {}, student.path.name
        members = derived.get("members")
        wanted = scoring(student)
        holding = self._holding(wanted)
        pairs = self._pairs(made, holding, None if members else wanted[0])
        found = self._nearest(made, pairs, wanted[0]) if members else next(pairs, None)
        if found is None:
            why = (
                f"{len(holding)} stores have that teacher, but none has the scores it was trained on together with its "
                "collection"
                if holding
                else "no store has it"
            )
            self.missing.append(f"the scores of {', '.join(wanted)} that {child} was trained on: {why}")
            for store in holding[:1]:
                for one in wanted:
                    self._fingerprint(store.fingerprint(one), child)
            if isinstance(members, Mapping):
                for member in members.values():
                    self._fingerprint(member, child)
            return
        store, dataset, queries = found
        for one in wanted:
            self._fingerprint(store.fingerprint(one), child)
        self._collection(dataset.fingerprint, "queries and documents with scores", child)
        for fingerprint in _datasets(store.manifest):
            self._collection(fingerprint, "queries and documents with scores", child)
        texts = ScoreStore(store.path, dataset)
        self.texts.append(
            Texts(
                store.path.name,
                lambda: [text for key, text in texts.query_texts().items() if key in queries],
                lambda: texts.document_texts().values(),
            )
        )

    def _conversations(self, trained: sessions_lineage.TrainedOn, student: Artefact) -> None:
        """The sessions that a student read, their documents and, where it learnt scores, who gave them."""
        child = student.path.name
        read = ", ".join(trained.rewrites)
        dataset = self._collection(trained.documents, "documents of conversations", child)
        sessions = next((one for one in self._sessions if one.fingerprint == trained.sessions), None)
        if sessions is None:
            self.missing.append(f"the conversations of {child} (content {trained.sessions[:12]})")
            self._source(trained.sessions, f"conversations with content {trained.sessions[:12]}", "conversations")
        else:
            called = sessions.path.name if sessions.path.is_dir() else sessions.path.stem
            self._source(
                trained.sessions, called, f"conversations and their rewrites ({read})" if read else "conversations"
            )
            for name, wanted in trained.rewrites.items():
                if name not in sessions.rewriters or sessions.rewrites_hash(name, trained.split) != wanted:
                    self.missing.append(f"the rewrites {name} of {child}: {called} has others by now, or none")
        stores = self._holding(scoring(student)) if scoring(student) else []
        if scoring(student) and not stores:
            self.missing.append(
                f"the scores of {', '.join(scoring(student))} that {child} was trained on: no store has it"
            )
        for one in scoring(student):
            for store in stores[:1]:
                self._fingerprint(store.fingerprint(one), child)

        def documents() -> Iterator[str]:
            if sessions is not None:
                yield from (text for one in sessions.asked(trained.split) for text in one.said[1::2] if text)
            wanted = {key for store in stores for key in store.candidates()["doc_id"].unique()}
            if dataset is not None:
                yield from (text for key, text in dataset.contents.items() if key in wanted)

        def queries() -> Iterator[str]:
            for one in sessions.asked(trained.split) if sessions is not None else ():
                yield from one.said[::2]
                yield from (text for name in trained.rewrites for text in one.turn.rewrites.get(name, ())[:1])

        self.texts.append(Texts(f"conversations of {child}", queries, documents))

    @cached_property
    def _sessions(self) -> list[Sessions]:
        """All that can be read."""
        found = []
        for one in self.atlas.artefacts:
            if is_sessions(one.path):
                with suppress(RankdistillError):
                    found.append(read_sessions(one.path, "lenient"))
        return found

    def _holding(self, teacher_ids: Sequence[str]) -> list[ScoreStore]:
        """The stores that have the scores of all of these."""
        first, *others = ({one.path: one for one in self.atlas.standing_for(scored_by(each))} for each in teacher_ids)
        return [ScoreStore(path) for path in first if all(path in other for other in others)]

    def _nearest(
        self, made: Manifest, pairs: Iterator[tuple[ScoreStore, Dataset, frozenset[str]]], member: str
    ) -> tuple[ScoreStore, Dataset, frozenset[str]] | None:
        """Of stores of an ensemble's members the one with the candidates that were trained on, or else the first."""
        first = None
        for store, dataset, queries in pairs:
            first = first or (store, dataset, queries)
            with suppress(RankdistillError):
                read = trained_on.read(dataset, ScoreStore(store.path, dataset), made.parameters["split"], member)
                if read.hashes()["candidates"] == made.inputs.get("candidates"):
                    return store, dataset, queries
        return first

    def _pairs(
        self, made: Manifest, stores: Sequence[ScoreStore], teacher: str | None
    ) -> Iterator[tuple[ScoreStore, Dataset, frozenset[str]]]:
        """Stores and collections that give what was trained on, with the queries that were."""
        split = made.parameters["split"]
        for store in stores:
            known = set(_datasets(store.manifest))
            for dataset in self._collections:
                if split != UNJUDGED and split not in dataset.splits:
                    continue
                if teacher is None:  # an ensemble: its members' ids are hashes of all that decides their scores
                    if dataset.fingerprint in known or not known:
                        judged = dataset.unjudged if split == UNJUDGED else dataset.queries(split)
                        yield store, dataset, frozenset(judged)
                    continue
                try:
                    read = trained_on.read(dataset, ScoreStore(store.path, dataset), split, teacher)
                except RankdistillError:
                    continue
                if read.hashes()["scores"] == made.inputs["scores"]:
                    yield store, dataset, frozenset(read.scores["query_id"].unique())

    def _taught(self, made: Manifest, child: str) -> None:
        dataset = self._collection(made.inputs["data"], "judged queries and documents", child)
        split = made.parameters["split"]
        if dataset is None or split not in dataset.splits:
            return
        relevant = {doc_id for judged in dataset.qrels(split).values() for doc_id, label in judged.items() if label > 0}
        self.texts.append(
            Texts(
                f"{dataset.name} {split}",
                dataset.queries(split).values,
                lambda: [text for doc_id, text in dataset.contents.items() if doc_id in relevant],
            )
        )

    @cached_property
    def _collections(self) -> list[Dataset]:
        """Every collection that can be read."""
        found = []
        for one in self.atlas.artefacts:
            if one.kind == COLLECTION:
                with suppress(RankdistillError):
                    found.append(load(one.path))
        return found

    def _dataset(self, fingerprint: str) -> Dataset | None:
        return next((one for one in self._collections if one.fingerprint == fingerprint), None)

    def _collection(self, fingerprint: str, role: str, child: str) -> Dataset | None:
        dataset = self._dataset(fingerprint)
        if dataset is None:
            self.missing.append(f"a collection of {child} (content {fingerprint[:12]})")
            self._source(fingerprint, f"a collection with content {fingerprint[:12]}", role)
            return None
        self._source(fingerprint, dataset.name, role).dataset = dataset
        found = at(dataset.path)
        made = found.manifest if found is not None else None
        for one in (made.parameters.get("generators") or []) if made is not None else []:
            weights = one.get("weights") if isinstance(one, Mapping) else None
            if isinstance(weights, str):
                self._model(weights, GENERATOR, dataset.name)
        return dataset

    def _source(self, fingerprint: str, called: str, role: str) -> Source:
        known = self.sources.setdefault(fingerprint, Source(called, fingerprint))
        known.roles += [role] if role not in known.roles else []
        return known


def of_a(role: str, other: str) -> str:
    """What a model is to what is published that is `role` to one that is `other` to it."""
    return f"{role} of a {other}"


def _datasets(made: Manifest) -> list[str]:
    return [value for name, value in made.inputs.items() if name.startswith("dataset:")]


def _name_files(sources: Mapping[str, Source], gathered: Mapping[str, Any]) -> None:
    """Files of texts by their names, where there are as many of them."""
    names = [part for part in gathered if ":" not in part]
    files = [one for one in sources.values() if one.called.startswith("texts ") and one.roles == ["texts"]]
    if len(names) == len(files):
        for one, name in zip(files, names, strict=True):
            one.called = name


def _kind(store: EmbeddingStore, kind: str) -> Callable[[], Iterable[str]]:
    def texts() -> Iterator[str]:
        for batch in store.texts().select(["kind", "text"]).to_batches(max_chunksize=BATCH):
            for found, text in zip(batch["kind"].to_pylist(), batch["text"].to_pylist(), strict=True):
                if found == kind:
                    yield text

    return texts
