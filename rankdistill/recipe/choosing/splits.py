"""Whose queries a recipe trains, chooses and reports on: those that are judged, those of a log, or generated ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rankdistill.data.beir import TRAIN, UNJUDGED
from rankdistill.errors import DataError
from rankdistill.recipe.choosing.facts import Facts

DEVS = ("dev", "validation", "valid", "val")
"""What a split to choose on is called."""

FEWEST = 300
"""Queries below which training on them alone teaches little: generated ones take their place."""

MEASURED = 50
"""Judged queries that a verdict asks for."""

GENERATED_DEV, GENERATED_TEST, MOST_DEV, MOST_TEST = 150, 300, 200, 500


MADE = "queries that are made of the documents, below"


@dataclass(frozen=True)
class Splits:
    """The queries of a recipe.

    Args:
        data: settings of `data` besides the source.
        queries: settings of `queries`; None: none are made.
        trained: queries that will be trained on, about.
        tested: queries that will be reported on, about.
        reasons: setting -> why.
    """

    data: dict[str, Any]
    queries: dict[str, Any] | None
    trained: int
    tested: int
    reasons: dict[str, str] = field(default_factory=dict)


def choose(facts: Facts) -> Splits:
    """Train on judged queries, else on a log, else on generated ones; measure on judged ones, else on generated ones.

    Raises:
        DataError: too few documents to generate queries of.
    """
    if not facts.judged:
        return _without_judgements(facts)
    train = _to_train(facts)
    test = [split for split in facts.judged if split not in (train, *DEVS)]
    dev = next((split for split in DEVS if split in facts.judged), None)
    judged = facts.judged.get(train, 0)
    if judged and not test:
        return _put_aside(facts, train, judged, dev)
    if not test:
        assert dev is not None, "some split is judged"
        return _dev_alone(facts, dev)
    reasons = {"data.test": f"{_counted(facts, test)}: reported on; nothing is trained or chosen on them"}
    tested = max(facts.judged[split] for split in test)
    if judged >= FEWEST:
        data: dict[str, Any] = {"train": train, "dev": dev, "test": test}
        reasons["data.train"] = f"{judged:,} judged queries, enough to train on"
        trained = judged
        if dev is None:
            data |= {"dev": "dev", "hold_out": {"dev": _share(judged, 0.1, MOST_DEV)}}
            trained -= data["hold_out"]["dev"]
            reasons["data.hold_out"] = (
                "the collection has no split to choose on, so some training queries become one, by the hash of what "
                "they say; their judgements teach nothing then"
            )
        reasons["data.dev"] = _why_dev(facts, data["dev"])
        return Splits(data, None, trained, tested, reasons)
    if facts.unjudged >= FEWEST:
        data = {"train": UNJUDGED, "dev": dev, "test": test}
        reasons["data.train"] = (
            f"{facts.unjudged:,} queries that nobody judged: the teacher's scores of what is found for them teach, and "
            "no label"
        )
        queries: dict[str, Any] | None = None
        if dev is None:
            data["dev"], size = "dev", min(GENERATED_DEV, max(2, facts.documents // 8))
            queries = {"dev": size, "limit_documents": min(facts.documents, 2 * size)}
            reasons["queries"] = "only to choose on: nobody judged any for that, and training is on the log"
        reasons["data.dev"] = _why_dev(facts, dev) if dev is not None else "generated queries"
        return Splits(data, queries, facts.unjudged, tested, reasons)
    queries = {}
    if dev is None:
        dev, queries["dev"] = "dev", min(GENERATED_DEV, max(2, facts.documents // 8))
        reasons["data.dev"] = "generated queries, as the collection judges none to choose on"
    else:
        reasons["data.dev"] = _why_dev(facts, dev)
    reasons["queries"] = (
        f"{judged + facts.unjudged:,} queries to train on are too few ({FEWEST} are asked for), so queries are made of "
        "the documents in their place; no model is needed (docs/queries.md has better makers: seq2seq:MODEL, a service)"
    )
    reasons["data.train"] = MADE
    data = {"train": TRAIN, "dev": dev, "test": test}
    return Splits(data, queries, _generated(facts), tested, reasons)


def _without_judgements(facts: Facts) -> Splits:
    dev, test = _sizes_of_generated(facts)
    queries: dict[str, Any] = {"dev": dev, "test": test}
    data: dict[str, Any] = {"train": TRAIN, "dev": "dev", "test": ["test"]}
    told = (
        "generated queries of documents that training queries are not made of: nobody judged any. They show that "
        "documents are found by what they say, not what users ask; put judged ones into qrels/test.tsv to know that"
    )
    reasons = {"data.test": told, "data.dev": "likewise, to choose on"}
    if facts.unjudged >= FEWEST:
        data["train"] = UNJUDGED
        queries["limit_documents"] = min(facts.documents, 2 * (dev + test))
        reasons["data.train"] = (
            f"the {facts.unjudged:,} queries of the log: the teacher's scores of what is found for them teach, no label"
        )
        reasons["queries"] = "only for dev and test: training is on the log"
        reasons["queries.limit_documents"] = "enough for dev and test"
        return Splits(data, queries, facts.unjudged, test, reasons)
    what = "documents alone" if not facts.unjudged else f"{facts.unjudged:,} queries of a log, too few to train on,"
    reasons["data.train"] = MADE
    reasons["queries"] = (
        f"{what}, so queries are made of the documents (titles, headings, sentences, telling spans), which needs no "
        "model; better makers, where one is at hand: generators: [seq2seq:MODEL], or a service (docs/queries.md)"
    )
    return Splits(data, queries, _generated(facts), test, reasons)


def _to_train(facts: Facts) -> str:
    """The split to train on: `train`, or the only one where its name says nothing of measuring."""
    only = next(iter(facts.judged))
    named = TRAIN in facts.judged or len(facts.judged) > 1 or only.startswith("test") or only in DEVS
    return TRAIN if named else only


def _dev_alone(facts: Facts, dev: str) -> Splits:
    """Only what is there to choose on is judged: it is reported on instead, and what chooses is generated.

    Generated queries to choose on are called `dev`; where that is taken there are none.
    """
    found = choose(replace(facts, judged={"test": facts.judged[dev]}))
    told = (
        f"{facts.judged[dev]:,} judged queries of {dev!r}: the only ones, so they are reported on and nothing is chosen"
    )
    found = replace(found, data=found.data | {"test": [dev]}, reasons=found.reasons | {"data.test": told})
    if dev != "dev":
        return found
    data = found.data | {"dev": None}
    reasons = found.reasons | {"data.dev": "none is left to choose on; the last step is kept"}
    if data["train"] == UNJUDGED:
        return replace(found, data=data, queries=None, reasons=_without(reasons, "queries"))
    return replace(found, data=data, queries=_without(found.queries or {}, "dev"), reasons=reasons)


def _without(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key != name}


def _put_aside(facts: Facts, train: str, judged: int, dev: str | None) -> Splits:
    """Only training queries are judged (and some to choose on): the test is taken from them."""
    test = _share(judged, 0.3, MOST_TEST)
    if judged < 2 * MEASURED:
        test = judged // 2
    data: dict[str, Any] = {"train": train, "dev": dev, "test": ["test"], "hold_out": {"test": test}}
    rest = judged - test
    if dev is None:
        data["dev"], data["hold_out"]["dev"] = "dev", min(_share(judged, 0.15, MOST_DEV), rest // 2)
        rest -= data["hold_out"]["dev"]
    reasons = {
        "data.hold_out": f"of {judged:,} judged queries, all called {train}, some are put aside by the hash of what "
        "they say: to report on, and to choose on where no split is for that",
        "data.test": f"{test:,} judged queries that nothing is trained or chosen on",
        "data.dev": _why_dev(facts, data["dev"]),
    }
    if rest >= FEWEST:
        reasons["data.train"] = f"the other {rest:,} judged queries"
        return Splits(data, None, rest, test, reasons)
    reasons["queries"] = (
        f"{rest:,} judged queries are too few to train on ({FEWEST} are asked for), so queries are made of the "
        "documents in their place (docs/queries.md)"
    )
    if facts.unjudged >= FEWEST:
        reasons["queries"] += (
            f". The {facts.unjudged:,} queries of the log are not trained on: they are where the judged ones are all "
            f"for measuring, so call these test (--qrels test=FILE, qrels/test.tsv) and not {train}"
        )
    reasons["data.train"] = MADE
    return Splits(data, {}, _generated(facts), test, reasons)


def _sizes_of_generated(facts: Facts) -> tuple[int, int]:
    if facts.documents < 16:
        raise DataError(
            expected="16 documents or more, to make queries of and to search in",
            got=f"{facts.documents}",
            consequence="no recipe was chosen: nothing could be shown",
            remedy="give the whole collection",
        )
    return min(GENERATED_DEV, max(2, facts.documents // 8)), min(GENERATED_TEST, max(3, facts.documents // 4))


def _generated(facts: Facts) -> int:
    """About how many queries are left of three a document."""
    return 2 * facts.documents


def _share(queries: int, share: float, most: int) -> int:
    return max(min(MEASURED, queries // 3), min(most, int(queries * share)))


def _counted(facts: Facts, splits: list[str]) -> str:
    return ", ".join(f"{facts.judged[split]:,} judged queries of {split!r}" for split in splits)


def _why_dev(facts: Facts, dev: str | None) -> str:
    if dev is None:
        return "none: too few judged queries to choose on, so the last step is kept"
    count = facts.judged.get(dev)
    return f"{count:,} judged queries to choose on" if count else "put aside to choose on"
