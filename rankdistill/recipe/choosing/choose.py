"""The recipe that fits a collection, a teacher and a budget."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill.data.beir import TRAIN, UNJUDGED
from rankdistill.errors import ConfigError
from rankdistill.recipe.choosing import facts, sizes, splits
from rankdistill.recipe.choosing.facts import Facts
from rankdistill.recipe.choosing.sizes import Sizes
from rankdistill.recipe.choosing.splits import Splits
from rankdistill.recipe.leaf.schema import LeafTeacherPart
from rankdistill.recipe.loading import expect, parse
from rankdistill.recipe.staged.schema import StagedRecipe
from rankdistill.verbs.looking import Looked, look_at, measure
from rankdistill.verbs.settings import DEFAULT_TOKENIZER

if TYPE_CHECKING:
    from rankdistill.data import Dataset

BASE = str(LeafTeacherPart.model_fields["model"].default)
"""The space and the student's start where the teacher has no vectors of single texts."""

DENSE, SERVICE = "encoder", ("settings", "causal_lm")

LABELS_WEIGHT = 0.5
"""Of the contrastive term beside the teacher's margins, where people judged what is trained on."""

STUDENT = "student"
"""The variant that is trained."""

EXACT = 100_000
"""Documents up to which every one is compared with the query: it takes milliseconds, and misses none."""

LONG, SHORT_TOKENS, LONG_TOKENS = 110, 128, 256
"""Words of a document from which 128 tokens hold too little of it."""

RERANKED = 30


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Args:
        recipe: its `out` is not set.
        reasons: dotted setting -> why it has its value.
        minutes: that it takes by what was measured; None: nothing was.
        least: the fewest minutes that do for such a collection and teacher here; None likewise.
        tested: queries that will be reported on, about.
    """

    recipe: StagedRecipe
    reasons: dict[str, str]
    minutes: float | None = None
    least: float | None = None
    tested: int | None = None


def choose(
    dataset: Dataset, teacher: str = BASE, minutes: float | None = None, max_mb: float | None = None
) -> tuple[StagedRecipe, dict[str, str]]:
    """A recipe for a collection, and the reason for each of its values; see `choice`."""
    found = choice(dataset, teacher, minutes, max_mb)
    return found.recipe, found.reasons


def choice(dataset: Dataset, teacher: str = BASE, minutes: float | None = None, max_mb: float | None = None) -> Choice:
    """A recipe for a collection, and the reason for each of its values that others would have suited too.

    The recipe is of `kind: staged`: alignment first, which needs no label, then the teacher's scores. Its `out` is not
    set. With `minutes` a few texts are encoded and a few steps trained, to know what fits; without, nothing is loaded.

    Args:
        dataset: the collection; documents alone will do.
        teacher: a model reference, or a YAML file of settings.
        minutes: that the run may take on this machine as it is now; None: as much as the data ask for.
        max_mb: that the student may take.

    Raises:
        DataError: too few documents to make queries of, where some must be made.
        ModelReferenceError: there is no such teacher.
        ConfigError: `minutes` or `max_mb` are not above 0; `max_mb`, and nothing to choose a shape on.
    """
    looked, known = look_at(teacher), facts.look(dataset)
    whose = splits.choose(known)
    if max_mb is not None and whose.data["dev"] is None:
        raise ConfigError(
            expected="judged queries to choose a student's shape on, as max_mb (--max-mb) asks",
            got="only qrels/dev.tsv is judged, and it is reported on",
            consequence="nothing was chosen",
            remedy="call the file qrels/test.tsv: queries to choose on are made of documents then; or leave max_mb out",
        )
    space = teacher if looked.kind == DENSE else BASE
    start = looked if looked.kind == DENSE else look_at(space)
    kept, tokens = _kept_layers(start), _tokens(known, start)
    speed = None if minutes is None else measure(space, kept, known.sample)
    pairs = looked.kind != DENSE
    if speed is None or minutes is None:
        amount, limit, least = sizes.by_data(known.documents, whose.trained), None, None
    else:
        amount = sizes.by_minutes(known.documents, whose.trained, whose.tested, speed, minutes, pairs)
        limit = None if amount.whole else sizes.texts_that_fit(speed, minutes)
        least = sizes.least_minutes(known.documents, whose.trained, whose.tested, speed, pairs)
    content: dict[str, Any] = {
        "kind": "staged",
        "name": name_of(dataset.path),
        "data": {"source": known.source, **whose.data, **_reading(dataset)},
        **({} if whose.queries is None else {"queries": _queries(whose, known)}),
        "texts": _texts(whose, limit),
        "space": {"model": space},
        "student": _student(space, kept, max_mb),
        "align": _align(known, whose, amount, tokens),
        "mine": _mine(known, amount),
        "teacher": {"model": teacher},
        "score": {"unit_size": 65536},
        "train": _train(looked, whose, amount),
        "variants": {STUDENT: {}},
        "baseline": "BM25",
        "index": _index(known),
        "evaluate": _evaluate(looked, amount),
    }
    reasons = whose.reasons | amount.reasons | _reasons(known, looked, kept, amount, max_mb, tokens)
    if _has_labels(whose):
        reasons["train.contrastive_weight"] = (
            "labels teach beside the teacher's margins: where it has not seen what they say, most of what can be "
            "learnt is theirs (docs/figures.md)"
        )
    recipe = expect(parse(content, "the recipe that was chosen"), StagedRecipe)
    return Choice(recipe, reasons, amount.minutes, least, whose.tested)


def _kept_layers(looked: Looked) -> list[int] | None:
    """A third of the layers, two at least, spread from the first to the last; None where there are no more."""
    if looked.layers is None or looked.layers <= 2:
        return None
    count = max(2, round(looked.layers / 3))
    return [round(place * (looked.layers - 1) / (count - 1)) for place in range(count)]


def _reading(dataset: Dataset) -> dict[str, Any]:
    """How the collection was opened, where that is not the usual way."""
    lenient = {"lenient": True} if dataset.reports else {}
    rule = dataset.ignore_identical_ids
    return lenient | ({} if rule is None else {"ignore_identical_ids": rule})


def name_of(place: Path) -> str:
    """What a recipe for what lies there is called."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", place.resolve().name).lstrip("._-") or "run"


def _tokenised(known: Facts) -> str:
    return "bm25" if known.tokenizer == DEFAULT_TOKENIZER else f"bm25:{known.tokenizer}"


def _queries(whose: Splits, known: Facts) -> dict[str, Any]:
    return {**(whose.queries or {}), "teacher": _tokenised(known)}


def _texts(whose: Splits, limit: int | None) -> dict[str, Any]:
    own = {} if whose.data["train"] == TRAIN else {"query_split": whose.data["train"]}
    return {"titles": False, "sentences": False, **own, **({} if limit is None else {"limit": limit})}


def _student(space: str, kept: list[int] | None, max_mb: float | None) -> dict[str, Any]:
    layers = {} if kept is None else {"keep_layers": kept}
    return {"model": space, **layers, **({} if max_mb is None else {"max_mb": max_mb})}


def _tokens(known: Facts, start: Looked) -> int:
    """Tokens of a document in training: no more than the student reads."""
    wanted = LONG_TOKENS if known.words > LONG else SHORT_TOKENS
    return wanted if start.max_length is None else min(wanted, start.max_length)


def _align(known: Facts, whose: Splits, amount: Sizes, tokens: int) -> dict[str, Any]:
    texts = known.documents + whose.trained
    return {
        "steps": amount.align_steps,
        "batch_size": sizes.ALIGN_BATCH,
        "cycles": 1,
        "learning_rate": 5e-4,
        "max_document_length": tokens,
        "eval_steps": amount.align_steps,
        "select": "last",
        "held_out": min(200, texts // 10),
    }


def _mine(known: Facts, amount: Sizes) -> dict[str, Any]:
    depth = max(2, min(50, known.documents // 2))
    return {
        "sources": [_tokenised(known)],
        "depth": depth,
        "sample": min(10, depth),
        "limit_queries": max(1, amount.queries),
    }


def _train(looked: Looked, whose: Splits, amount: Sizes) -> dict[str, Any]:
    in_batch = {"in_batch_teacher": "embeddings"} if looked.kind == DENSE and amount.whole else {}
    unlabelled = {"unlabelled": "top"} if whose.data["train"] == UNJUDGED else {}
    labels = {"contrastive_weight": LABELS_WEIGHT} if _has_labels(whose) else {}
    return {
        "loss": "margin_mse",
        **in_batch,
        **unlabelled,
        **labels,
        "negatives": sizes.NEGATIVES,
        "few_negatives": "repeat",
        "steps": amount.train_steps,
        "batch_size": sizes.TRAIN_BATCH,
        "learning_rate": 1e-4,
        "eval_steps": amount.train_steps,
        "check": "warn",
    }


def _has_labels(whose: Splits) -> bool:
    """Whether people judged what is trained on; what a generated query was made of says less."""
    return whose.data["train"] != UNJUDGED and whose.queries is None


def _index(known: Facts) -> dict[str, Any]:
    if known.documents <= EXACT:
        return {"factory": "exact"}
    return {"factory": "HNSW32", "search_parameters": {"efSearch": 128}}


def _evaluate(looked: Looked, amount: Sizes) -> dict[str, Any]:
    depth = 0 if looked.kind == DENSE and amount.whole else 0 if looked.kind in SERVICE else RERANKED
    return {"rerank_depth": depth, "embedding_teacher": amount.whole, "latency_queries": 50}


def _reasons(
    known: Facts, looked: Looked, kept: list[int] | None, amount: Sizes, max_mb: float | None, tokens: int
) -> dict[str, str]:
    """Why each value that the data, the teacher and the budget decide is what it is."""
    cut = "the teacher's own" if looked.kind == DENSE else f"{BASE}'s"
    found = {
        "kind": "alignment to a teacher's vectors mends the cut without any label, then scores say what vectors cannot",
        "data.source": f"{known.documents:,} documents of {known.words:,} words (nine in ten have at most "
        f"{known.longest:,}), {sum(known.judged.values()):,} judged queries and {known.unjudged:,} others",
        "space.model": "its vectors are learnt first"
        if looked.kind == DENSE
        else f"the teacher is no dense model ({looked.kind}), so this one's vectors are learnt first; or another's",
        "student.model": f"the student is cut out of {'the teacher' if looked.kind == DENSE else 'this'}, or "
        "`keep_layers` left out: a smaller model as it is",
        "align.max_document_length": f"documents have {known.words:,} words, of which this holds "
        f"{'most' if known.longest < 0.75 * tokens else 'the beginning'}; longer takes longer in proportion",
        "align.select": "the rate falls to the end, where the student is best; `best` takes the best evaluation on dev",
        "align.learning_rate": "for a few layers; 1e-4 for a student that keeps most of them",
        "texts.titles": "documents and training queries are what the second stage reads too; titles and sentences are "
        "further texts like queries, and take the teacher longer",
        "mine.sources": _of_script(known),
        "mine.sample": "of the ranks of each query, beside its labelled document; more take longer to score",
        "train.loss": "or kl, splade_v3, contrastive (of labels alone): docs/python.md",
        "train.few_negatives": "so that queries for which little is found are trained on too",
        "teacher.model": "whose scores are learnt"
        if looked.kind not in SERVICE
        else "whose scores are learnt; each costs time or money: `mine.limit_queries` times `mine.sample` of them",
        "train.check": "a warning of the gate (docs/gate.md) is told and does not stop the run; `refuse` does",
        "baseline": "what the report tests the others against; or student before training, alignment alone",
        "index.factory": f"{known.documents:,} documents are compared one by one in milliseconds; HNSW32 (extra faiss) "
        "is for more"
        if known.documents <= EXACT
        else f"{known.documents:,} documents are too many to compare one by one; needs the extra faiss",
        "evaluate.rerank_depth": _why_depth(looked, amount),
    }
    if known.left_out:
        found["data.lenient"] = f"{known.left_out:,} bad rows are left out; `rankdistill data check` lists them"
    if kept is not None:
        found["student.keep_layers"] = (
            f"a third of {cut} layers, the first and the last among them; fewer are faster and keep less"
        )
    if max_mb is not None:
        found["student.max_mb"] = "as was asked for; vocabulary, width and storage are chosen on dev within it"
    if looked.kind == DENSE and amount.whole:
        found["train.in_batch_teacher"] = "the vectors of the first stage know the margins of any pair of the batch"
    return found


def _of_script(known: Facts) -> str:
    if known.tokenizer == DEFAULT_TOKENIZER:
        return (
            "Latin letters: English is taken for granted; another language is bm25:german and so on, in `queries` too. "
            "dense:MODEL beside it finds negatives that BM25 does not, and encodes the collection once more"
        )
    return f"most letters are not Latin: words as {known.tokenizer} takes them (docs/mining.md)"


def _why_depth(looked: Looked, amount: Sizes) -> str:
    if looked.kind in SERVICE:
        return "the teacher costs time or money by the pair, so it is not measured; 20 re-ranks so many a test query"
    if looked.kind == DENSE and amount.whole:
        return "the teacher is measured as a search of its own; above 0 it re-ranks BM25's first so many besides"
    return "the teacher re-ranks so many of BM25's, which is what the student is held against; 0 leaves it out"
