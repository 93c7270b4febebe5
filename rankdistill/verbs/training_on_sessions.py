"""How `train` makes a student of conversations, from a teacher's scores of their rewrites, or from its vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import plain_yaml
from rankdistill.data import Dataset
from rankdistill.data.beir import UNJUDGED
from rankdistill.ensembles.source import Ensemble
from rankdistill.errors import ConfigError, DataError
from rankdistill.indexing import StoredIndex
from rankdistill.indexing.kinds import of_space
from rankdistill.indexing.searching import opened
from rankdistill.indexing.sources import IndexSource
from rankdistill.inference.loading import quietly
from rankdistill.inference.turn_reader import TurnReader, open_reader
from rankdistill.manifest import digest
from rankdistill.mining.sources.rewritten import AskedTogether, RewrittenSource
from rankdistill.names import ALIGNMENTS, LOSSES, names_test
from rankdistill.notes import note
from rankdistill.progress import reporter_of
from rankdistill.sessions import Asked as Question
from rankdistill.sessions import Sessions
from rankdistill.sessions.collection import Missing
from rankdistill.sessions.lineage import DOCUMENTS, SESSIONS, TEACHER_OF_REWRITES, name_of_rewrites
from rankdistill.space import SparseSpace
from rankdistill.stores.embeddings.identity import alike_hash
from rankdistill.stores.reader import ScoreStore
from rankdistill.teachers.registry import TeacherSpec, identity_of, specify
from rankdistill.teachers.rewritten import rewritten
from rankdistill.training.alignment.config import STATIC_DEFAULTS, AlignConfig
from rankdistill.training.alignment.dev_sets import Dev
from rankdistill.training.config import TrainConfig
from rankdistill.training.settings import RunSettings, require_no_test, require_patience_to_count
from rankdistill.verbs import mine as mining
from rankdistill.verbs import score as scoring
from rankdistill.verbs.arguments import Place, place_of, require_range, settings_of
from rankdistill.verbs.judged_elsewhere import judged_elsewhere
from rankdistill.verbs.turns import count_cut, joined, judgements_of, note_judged, rewrites_of, training_split

if TYPE_CHECKING:
    from rankdistill.mining.source import Source
    from rankdistill.progress import ProgressLike
    from rankdistill.teachers.base import PairTeacher
    from rankdistill.training.in_batch.teacher import InBatchTeacher

FIRST_RANK, LAST_RANK = 11, 960
"""The ranks of the teacher's run that are candidates, from 1: `[10:][:950]` in the code of DiSCo's authors."""

STANDALONE = 0.2
"""Share of standalone queries in what is aligned."""

COSINE_TEMPERATURE = 0.05
"""Of cosines, whose softmax is flat at 1: the inverse of the contrastive term's scale."""

LIKE_DISCO: dict[str, Any] = {"cycles": 1, "epochs": 5.0, "learning_rate": 2e-5, "batch_size": 10, "warmup": 0.01}
"""Of an alignment that goes on from the teacher's own query encoder, where they are not given: those of `disco`."""

FORMAT = "newest_first"
WITH_VECTORS = ("embedding", "sparse")

OF_SEVERAL = ("calibrate", "combine", "weights")
"""Arguments that say how several rewriters become one teacher."""


@dataclass(frozen=True)
class Asked:
    """What is trained on.

    Args:
        sessions: the conversations.
        documents: their collection.
        split: whose questions are trained on; None: `train`.
        dev_split: whose questions checkpoints are chosen on.
        teacher: model reference, or a YAML file.
        rewrites: names, one or several.
        reads: name of the format of conversations; None: `FORMAT`.
        missing: what becomes of questions without a rewrite.
        ranks: of the teacher's run that are candidates; None: those of DiSCo.
        sample: so many of these, drawn a question; None: all.
        index: the teacher's, which is searched for candidates; None: every document is encoded for it.
        standalone: share of standalone queries; None: `STANDALONE`.
        calibrate: of several rewriters' scores; None: none.
        combine: `mean` or `best`; None: `mean`.
        weights: of the mean.
        work: where candidates, scores and vectors are kept, for other students too.
    """

    sessions: Sessions
    documents: Dataset
    split: str | None
    dev_split: str | None
    teacher: str
    rewrites: Sequence[str]
    reads: str | None
    missing: Missing
    ranks: str | None
    sample: int | None
    index: Place | None
    standalone: float | None
    calibrate: str | None
    combine: str | None
    weights: Sequence[float] | None
    work: Path

    @property
    def share(self) -> float:
        """Of standalone queries."""
        return STANDALONE if self.standalone is None else self.standalone


def loss_of(config: Place | RunSettings | None, settings: Mapping[str, Any]) -> object:
    """The loss that the settings name, or else `config` (settings, or their file); None where neither does.

    Raises:
        ConfigError: the file cannot be read, or has no settings.
    """
    if settings.get("loss") is not None or config is None:
        return settings.get("loss")
    if isinstance(config, RunSettings):
        return getattr(config, "loss", None) if "loss" in config.model_fields_set else None
    return plain_yaml.read_settings(place_of(config), "training").get("loss")


def is_alignment(loss: object, config: object) -> bool:
    """Whether a loss on vectors is asked for; a name that both kinds lack is left to the settings' own check."""
    if isinstance(config, AlignConfig):
        return True
    return isinstance(loss, str) and loss in ALIGNMENTS and loss not in LOSSES


def with_disco(loss: object, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the loss `disco`, unless there is one, see `loss_of`."""
    return dict(settings) if loss is not None else dict(settings) | {"loss": "disco"}


def require_given(teacher: str | None, rewrites: Sequence[str]) -> str:
    """The teacher; ConfigError where it is missing, or no rewrites are named."""
    if teacher is not None and rewrites:
        return teacher
    raise ConfigError(
        expected="a teacher and the rewrites that it reads, with sessions",
        got="no teacher" if teacher is None else "no name of rewrites",
        consequence="nothing was trained",
        remedy="give the teacher's model (--teacher MODEL) and a name of rewrites (--rewrites human); "
        "`rankdistill rewrite` makes some",
    )


@dataclass(frozen=True)
class Prepared:
    """Sessions as texts.

    Args:
        dataset: their documents, each conversation as its query, and what is judged.
        reader: how the student reads them.
        rewrites: rewriter -> text of a conversation -> its rewrite; of the split that is trained on, without what says
            the same as something that another split judges.
        split: that split.
        elsewhere: see `judged_elsewhere`.
    """

    dataset: Dataset
    reader: TurnReader
    rewrites: Mapping[str, Mapping[str, str]]
    split: str
    elsewhere: frozenset[bytes]

    @property
    def trained(self) -> Mapping[str, Sequence[str]]:
        """Text of a conversation -> its rewrites."""
        return {text: [one[text] for one in self.rewrites.values()] for text in next(iter(self.rewrites.values()))}

    def standalone(self) -> list[str]:
        """The rewrites that the student may read as queries of their own; a note says how many it may not."""
        conversations = self.trained
        every = dict.fromkeys(text for one in conversations.values() for text in one if text not in conversations)
        kept = [text for text in every if alike_hash(text) not in self.elsewhere]
        if left := len(every) - len(kept):
            note(
                f"{left:,} of {len(every):,} rewrites say the same as a question, a conversation or a rewrite that "
                "another split judges: the student does not read them as standalone queries"
            )
        return kept


def prepare(
    asked: Asked, student: str, limit: int | None, unlabelled: bool = False, progress: ProgressLike = False
) -> Prepared:
    """The conversations as the student reads them, beside their rewrites.

    Args:
        asked: what is trained on.
        student: the model that reads them.
        limit: tokens of a query at most; None: the model's own.
        unlabelled: whether questions of the split that nobody judged stand in it too, with no document.
        progress: as in `rankdistill.score`; counts conversations that are read.

    Raises:
        ConfigError: no such rewrites or format; or no conversation is left.
        DataError: no such split, or questions without a rewrite.
    """
    reader = open_reader(student, asked.reads or FORMAT, limit)
    split = training_split(asked.sessions, asked.split)
    given = rewrites_of(asked.sessions, list(asked.rewrites), split, asked.missing)
    every = asked.sessions.asked()
    texts = joined(every, reader, progress)
    note_cut(every, reader, student, texts)
    elsewhere = judged_elsewhere(asked.sessions, asked.documents, split, texts)
    rewrites = {
        name: {turn: said for turn, said in one.items() if alike_hash(texts[turn]) not in elsewhere}
        for name, one in given.items()
    }
    kept = next(iter(rewrites.values())).keys()
    tell_held_out(len(next(iter(given.values()))), len(kept), split)
    judged = judgements_of(asked.sessions, asked.documents, split, kept)
    if unlabelled and split != UNJUDGED:
        known = {query for labels in judged.values() for query in labels}
        judged[split] = judged.get(split, {}) | {turn: {} for turn in kept if turn not in known}
    if split == UNJUDGED:  # what no split judges would be mined, whosever session it is in
        known = kept | {query for labels in judged.values() for query in labels}
        texts = {turn: text for turn, text in texts.items() if turn in known}
    dataset = asked.documents.asking(texts, judged)
    found: dict[str, dict[str, str]] = {name: {} for name in rewrites}
    for name, of_turn in rewrites.items():
        for turn, rewrite in of_turn.items():
            found[name].setdefault(texts[turn], rewrite)
    several = {
        texts[turn] for name, one in rewrites.items() for turn, said in one.items() if said != found[name][texts[turn]]
    }
    if several:
        note(f"{len(several):,} conversations stand there twice, rewritten in two ways: the first rewrite counts")
    return Prepared(dataset, reader, found, split, elsewhere)


def require_judged(prepared: Prepared) -> None:
    """Note how many questions with rewrites nobody judged, so that no scores are learnt of them.

    Raises:
        DataError: none is judged.
    """
    split, asked = prepared.split, len(prepared.trained)
    if split == UNJUDGED:
        return
    judged = prepared.dataset.queries(split) if split in prepared.dataset.splits else {}
    left = len(prepared.trained.keys() - set(judged.values()))
    if not judged:
        raise DataError(
            expected=f"judged questions of {split!r}, whose positives a loss on scores needs",
            got=f"{asked:,} conversations with rewrites, and no judgement of one",
            consequence="nothing was trained",
            remedy="take the teacher's best document for the positive (--unlabelled top), or a loss on vectors, which "
            "needs no judgements (--loss leaf)",
        )
    if left:
        note(
            f"{left:,} of {asked:,} conversations of {split!r} with rewrites are not judged, and left out: "
            "--unlabelled top takes the teacher's best document for their positive"
        )


def require_dev(asked: Asked, prepared: Prepared) -> None:
    """Raise DataError unless the dev split, if any, is one that judges something; before anything is encoded."""
    if asked.dev_split is not None:
        prepared.dataset.queries(asked.dev_split)


def note_cut(asked: Sequence[Question], reader: TurnReader, student: str, texts: Mapping[str, str]) -> None:
    """Note how many conversations, which are joined as `texts`, are longer than the student reads."""
    if cut := count_cut(asked, reader, texts):
        note(f"{cut:,} of {len(asked):,} conversations are longer than the {reader.most} tokens that {student} reads")


def tell_held_out(given: int, kept: int, split: str, what: str = "rewrites") -> None:
    """Note how many conversations with rewrites (or scores) are left out; ConfigError where none is left."""
    if not kept:
        raise ConfigError(
            expected=f"conversations of {split!r} with {what}, which no other split judges",
            got=f"none; {given:,} have {what}",
            consequence="nothing was trained",
            remedy="name another split",
        )
    if kept < given:
        note(
            f"{given - kept:,} of {given:,} conversations of {split!r} say the same as a question, a conversation or a "
            "rewrite that another split judges: left out"
        )


class Teacher:
    """The teacher of rewrites, and what embeds the documents that the student is compared with.

    Args:
        reference: as it was given.
        tower: model of the documents, where it is not the teacher.
        folder: keeps vectors.
    """

    def __init__(self, reference: str, tower: str, folder: Path) -> None:
        from rankdistill.training.in_batch.pairs import EncodedPairs

        self.spec: TeacherSpec = specify(reference)
        self.pairs: PairTeacher
        self.has_vectors = self.spec.kind in WITH_VECTORS
        self.reference = reference if self.has_vectors else tower
        spec = self.spec if self.has_vectors else specify(tower)
        if spec.kind not in WITH_VECTORS:
            raise ConfigError(
                expected="a dense or a sparse model that embeds the documents of the student",
                got=f"{self.reference}: a model of the kind {spec.kind}",
                consequence="nothing was trained",
                remedy="name one as document_tower (--document-tower MODEL), or a teacher that is one",
            )
        with quietly():
            encoded = EncodedPairs(spec, identity_of(self.reference), folder)
            self.pairs = encoded if self.has_vectors else self.spec.load()
        self.tower = encoded.encoded

    def require_index(self, index: Place) -> None:
        """Raise an error unless an index has the documents' vectors of this teacher: candidates are ranks of its run.

        Raises:
            ConfigError: it is of another kind of vectors, or of words.
            SpaceMismatchError: it is of another model.
        """
        from rankdistill.training.document_tower import space_of

        stored = opened(index if isinstance(index, StoredIndex) else place_of(index))
        own = space_of(self.tower, self.reference)
        if of_space(own) is not stored.kind:
            raise ConfigError(
                expected=f"an index of the teacher {self.reference}, whose run the candidates are ranks of",
                got=f"{stored.folder}, an index of the kind {stored.kind.name} by {stored.model or 'words'}",
                consequence="nothing was trained: candidates would be those of another ranking",
                remedy="build it: rankdistill index --model TEACHER; or leave it out, and every document is encoded",
            )
        stored.kind.require(stored.space, [own], False)

    @property
    def source(self) -> Source:
        """The source of candidates that the documents' model is."""
        from rankdistill.training.in_batch.source import TowerSource

        return TowerSource(self.tower, identity_of(self.reference))


def scores_of(
    asked: Asked, prepared: Prepared, teacher: Teacher, progress: ProgressLike, unlabelled: bool = False
) -> ScoreStore | Ensemble:
    """The teacher's scores of the candidates, through each rewriter; several are read as one teacher.

    With `unlabelled` the first of the run is a candidate of each question that nobody judged, as its positive.
    Candidates and scores lie in `asked.work` by what they were made of: another student of the same texts finds them.
    """
    ranks = asked.ranks or f"{FIRST_RANK}:{LAST_RANK}"
    data, split = prepared.dataset, prepared.split
    queries = list(data.to_mine(split).values())
    words = [one[text] for one in prepared.rewrites.values() for text in queries]
    source = teacher.source if asked.index is None else IndexSource(str(place_of(asked.index)))
    together = AskedTogether(source, words, len(prepared.rewrites))
    sources = [RewrittenSource(name, one, together) for name, one in prepared.rewrites.items()]
    key = digest(
        {
            "texts": data.fingerprint,
            "split": split,
            "judged": data.qrels_hash(split) if split in data.splits else None,
            "own_documents": data.left_out(split),
            "teacher": teacher.pairs.teacher_id,
            "names": list(prepared.rewrites),
            "sources": [dict(one.inputs) for one in sources],
            "ranks": ranks,
            "sample": asked.sample,
            **({"top": True} if unlabelled else {}),
        }
    )[:12]
    mined = mining.mine(
        data,
        asked.work / f"candidates-{key}",
        sources,
        split=split,
        depth=int(ranks.rpartition(":")[2]) if ranks.rpartition(":")[2].isdecimal() else 1,
        ranks=ranks,
        sample=asked.sample,
        keep_top=unlabelled,
        progress=progress,
    )
    if asked.index is not None and teacher.has_vectors:  # each document once, whatever the shards of scores
        wanted = set(mined.to_polars()["doc_id"].unique())
        contents = data.contents
        teacher.tower.know([text for doc_id, text in contents.items() if doc_id in wanted], "document")
    out = asked.work / f"scores-{key}"
    for name, rewrites in prepared.rewrites.items():
        reading = rewritten(teacher.pairs, name, rewrites)
        scoring.score(data, reading, mined, out, name=name, progress=progress)
    if len(prepared.rewrites) == 1:
        return ScoreStore(out)
    return Ensemble(
        ScoreStore(out),
        list(prepared.rewrites),
        asked.calibrate or "none",
        weights=asked.weights,
        combine=asked.combine or "mean",
    )


def train(
    asked: Asked,
    student: str,
    out: Path,
    config: Place | TrainConfig | AlignConfig | None,
    settings: Mapping[str, Any],
    besides: Sequence[str],
    allow_test: bool,
    progress: ProgressLike,
    command: str,
) -> None:
    """Train a student of conversations into `out`, on scores or on vectors, as the loss says; see the verb `train`.

    Raises:
        ConfigError: settings that the kind of training does not have.
        RankdistillError: see `training.run.train` and `training.alignment.run.align`.
    """
    require_range(0, 0.95, standalone=asked.standalone)
    loss = loss_of(config, settings)
    if is_alignment(loss, config):
        _refuse(asked, ("ranks", "sample", "index", "calibrate", "combine", "weights"), "an alignment")
        aligning = settings_of(AlignConfig, config, settings, besides)
        _align(asked, student, out, aligning, allow_test, progress, command)
        return
    _refuse(asked, ("standalone",), "training on scores")
    if len(set(asked.rewrites)) < 2:
        _refuse(asked, OF_SEVERAL, "one rewriter", "leave them out, or name several (--rewrites A,B)")
    training = settings_of(TrainConfig, config, with_disco(loss, settings), besides)
    if asked.dev_split is not None and names_test(asked.dev_split) and not allow_test:
        require_no_test([asked.dev_split])
    _distil(asked, student, out, training, progress, command)


def _distil(asked: Asked, student: str, out: Path, config: TrainConfig, progress: ProgressLike, command: str) -> None:
    from rankdistill.training import run

    require_patience_to_count(config, asked.dev_split is not None)
    prepared = prepare(asked, student, config.max_query_length, config.unlabelled == "top", progress)
    require_judged(prepared)
    require_dev(asked, prepared)
    for split in dict.fromkeys((prepared.split, asked.dev_split)):
        if split is not None and split in prepared.dataset.splits:
            note_judged(prepared.dataset, split)
    teacher = Teacher(asked.teacher, config.document_tower or student, asked.work / "vectors")
    if asked.index is not None and teacher.has_vectors:
        teacher.require_index(asked.index)
    several = len(prepared.rewrites) > 1
    chosen = _fitted(config, teacher, calibrated=several and asked.calibrate not in (None, "none"))
    scores = scores_of(asked, prepared, teacher, progress, config.unlabelled == "top")
    with quietly(), reporter_of(progress).stage("training", "steps") as stage:
        run.train(
            prepared.dataset,
            scores,
            student,
            out,
            chosen,
            split=prepared.split,
            dev_split=asked.dev_split,
            planned=stage.expect,
            progress=stage,
            reads=prepared.reader.conversation,
            tower=_tower_of(config, teacher),
            sources=sources_of(asked, prepared.split),
            command=command,
        )


def sources_of(asked: Asked, split: str) -> dict[str, str]:
    """Name -> hash of what lies on disk of that which a student of conversations reads, for its lineage."""
    rewrites = {name_of_rewrites(split, name): asked.sessions.rewrites_hash(name, split) for name in asked.rewrites}
    return {SESSIONS: asked.sessions.fingerprint, DOCUMENTS: asked.documents.on_disk} | rewrites


def _weights(teacher: Teacher) -> str:
    """The hash that stands for the teacher: of its weights, or of what else it is."""
    found = teacher.pairs.fingerprint.get("weights")
    return found if isinstance(found, str) else identity_of(teacher.reference)


def _tower_of(config: TrainConfig, teacher: Teacher) -> InBatchTeacher | None:
    """The opened tower that has the documents' vectors, where the run's tower is that one."""
    given = config.document_tower
    return teacher.tower if given is None or identity_of(given) == identity_of(teacher.reference) else None


def _fitted(config: TrainConfig, teacher: Teacher, calibrated: bool) -> TrainConfig:
    """The settings with what follows from the teacher, where they are not given.

    Where the documents are the teacher's the student's scores begin in the teacher's unit, as it starts from the
    teacher's space: they are compared as they are. A softmax of cosines is flat at temperature 1. The student reads
    queries alone, so its length is theirs. Beside sparse documents it is sparse, also where a bare masked language
    model would count as dense.

    Raises:
        ConfigError: settings that cannot stand beside a document tower.
    """
    found: dict[str, Any] = {"document_tower": config.document_tower or teacher.reference}
    own = _tower_of(config, teacher)
    sparse = specify(found["document_tower"]).kind == "sparse" if own is None else isinstance(own.tower, SparseSpace)
    if config.type is None and sparse:
        found["type"] = "splade"
    in_unit = teacher.has_vectors and not calibrated
    if in_unit and own is not None and "scale" not in config.model_fields_set:
        found["scale"] = 1.0
    if in_unit and teacher.pairs.score_kind == "cosine":
        for name in ("student_temperature", "teacher_temperature"):
            if name not in config.model_fields_set:
                found[name] = COSINE_TEMPERATURE
    if config.max_document_length is None:
        found["max_document_length"] = config.max_query_length
    made = settings_of(TrainConfig, config, found)
    made.__pydantic_fields_set__.difference_update(found.keys() & {"student_temperature", "teacher_temperature"})
    return made  # nobody gave them, so nobody is told where a loss does not read them


def _align(
    asked: Asked,
    student: str,
    out: Path,
    config: AlignConfig,
    allow_test: bool,
    progress: ProgressLike,
    command: str,
) -> None:
    from rankdistill.training.alignment import run
    from rankdistill.training.alignment.rewritten import RewrittenEmbeddings
    from rankdistill.training.document_tower import space_of

    require_patience_to_count(config, asked.dev_split is not None)
    prepared = prepare(asked, student, config.max_query_length, progress=progress)
    require_dev(asked, prepared)
    teacher = Teacher(asked.teacher, asked.teacher, asked.work / "vectors")
    with quietly():
        vectors = RewrittenEmbeddings(
            teacher.tower,
            teacher.reference,
            space_of(teacher.tower, teacher.reference),
            prepared.trained,
            prepared.standalone() if asked.share > 0 else (),
        )
    usual = LIKE_DISCO | ({"learning_rate": STATIC_DEFAULTS["learning_rate"]} if run.is_static(student) else {})
    given = usual | config.model_dump(exclude_unset=True)
    if config.max_document_length is None and config.max_query_length is not None:
        given["max_document_length"] = config.max_query_length
    if asked.share > 0 and not config.source_weights:
        given["source_weights"] = vectors.source_weights(asked.share)
    if asked.dev_split is not None and asked.dev_split in prepared.dataset.splits:
        note_judged(prepared.dataset, asked.dev_split)
    dev = [Dev(prepared.dataset, asked.dev_split)] if asked.dev_split else []
    with quietly(), reporter_of(progress).stage("aligning", "steps") as stage:
        run.align(
            vectors,
            student,
            out,
            AlignConfig.model_validate(given),
            dev=dev,
            allow_test=allow_test,
            planned=stage.expect,
            progress=stage,
            reads=prepared.reader.conversation,
            tower=teacher.tower,
            sources=sources_of(asked, prepared.split) | {TEACHER_OF_REWRITES: _weights(teacher)},
            command=command,
        )


def _refuse(asked: Asked, names: Sequence[str], what: str, remedy: str = "") -> None:
    """Raise ConfigError for what that kind of training does not read."""
    if given := [name for name in names if getattr(asked, name) is not None]:
        raise ConfigError(
            expected=f"settings that {what} has",
            got=", ".join(given),
            consequence="nothing was trained: they would have no effect",
            remedy=remedy or "leave them out, or name another loss (disco is trained on scores, leaf on vectors)",
        )
