"""The document that has the query's own id, and when rankings leave it out.

In ArguAna and Quora the query is itself a document of the collection, under the same id: it is the best match of
itself and judged nowhere. beir's `EvaluateRetrieval.evaluate` leaves such a document out by default, mteb does in the
tasks that have `ignore_identical_ids`. In other collections, numbered from 1 on both sides, equal ids mean nothing.

What decides, the first that says something:

1. what is asked for by hand (`rankdistill.open(DIR, ignore_identical_ids=)`, `--ignore-identical-ids`,
   `--keep-identical-ids`);
2. `ignore_identical_ids` in the folder's `meta.json`, which `rankdistill data fetch` writes;
3. the name that the folder was fetched by, where it is one of those below;
4. the texts: the document is left out of the rankings of those queries whose text it has (white space aside, with or
   without its title), and kept where the texts differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from rankdistill.records import Document

if TYPE_CHECKING:
    import polars as pl

    Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

# The retrieval tasks of mteb 2.26 that have `ignore_identical_ids`; those fetched from now on say so themselves.
# fmt: off
MTEB_TASKS = frozenset({
    "ArguAna", "ArguAna-Fa", "ArguAna-Fa.v2", "ArguAna-NL", "ArguAna-NL.v2", "ArguAna-PL", "BSARDRetrieval",
    "BSARDRetrieval.v2", "DanFEVER", "EcomRetrieval", "FEVER", "FEVER-FaHardNegatives", "FEVER-NL",
    "FEVERHardNegatives", "FEVERHardNegatives.v2", "FeedbackQARetrieval", "FiQA-PL", "FiQA2018", "FiQA2018-Fa",
    "FiQA2018-Fa.v2", "FiQA2018-NL", "FiQADecontaminated", "IFIRFiQA", "JaCWIRRetrieval", "JaGovFaqsRetrieval",
    "LegalQANLRetrieval", "MLQuestions", "MMarcoRetrieval", "MMarcoRetrievalMultilingual", "MSMARCO", "MSMARCO-Fa",
    "MSMARCO-FaHardNegatives", "MSMARCO-PL", "MSMARCO-PLHardNegatives", "MSMARCOHardNegatives", "MedicalRetrieval",
    "NLPJournalAbsArticleRetrieval", "NLPJournalAbsArticleRetrieval.V2", "PersianWebDocumentRetrieval", "Quora-NL",
    "QuoraRetrieval", "QuoraRetrieval-Fa", "QuoraRetrieval-Fa.v2", "QuoraRetrievalDecontaminated",
    "QuoraRetrievalHardNegatives", "QuoraRetrievalHardNegatives.v2", "RiaNewsRetrieval",
    "RiaNewsRetrievalHardNegatives", "RiaNewsRetrievalHardNegatives.v2", "RuBQRetrieval", "RuSciBenchCiteRetrieval",
    "RuSciBenchCociteRetrieval", "SynPerChatbotRAGFAQRetrieval", "SynPerChatbotRAGTopicsRetrieval",
    "SynPerChatbotTopicsRetrieval", "SynPerQARetrieval", "T2Retrieval", "TRECDL2019", "TRECDL2020", "VideoRetrieval",
    "bBSARDNLRetrieval", "mMARCO-NL",
})
# fmt: on

# Of BEIR's own collections those for which mteb's tasks say the same as beir's default.
BEIR_COLLECTIONS = frozenset({"arguana", "fever", "fiqa", "msmarco", "quora"})

_HUB_OWNERS = frozenset({"beir", "mteb"})


def known_rule(reference: str) -> bool | None:
    """True if the collection of this name, as `data fetch` takes it, is known to leave them out; None otherwise."""
    prefix, _, name = reference.partition(":")
    first, _, rest = name.partition("/")
    known = {
        "mteb": first in MTEB_TASKS,
        "hf": first.lower() in _HUB_OWNERS and rest.lower() in BEIR_COLLECTIONS,
        "ir_datasets": first == "beir" and rest.partition("/")[0] in BEIR_COLLECTIONS,
    }
    return True if known.get(prefix) else None


def of_same_text(queries: Mapping[str, str], documents: Iterable[Document]) -> frozenset[str]:
    """The ids of `queries` (query_id -> text) of which a document of `documents` has both id and text."""
    return frozenset(
        document.doc_id
        for document in documents
        if document.doc_id in queries
        and _words(queries[document.doc_id]) in (_words(document.text), _words(document.contents))
    )


def without_own(pairs: Frame, own: Iterable[str]) -> Frame:
    """`pairs` (with the columns query_id and doc_id) without those of a query of `own` and the document of its id."""
    import polars as pl

    queries = sorted(own)
    if not queries:
        return pairs
    identical = pl.col("query_id") == pl.col("doc_id")
    return pairs.filter(~(identical & pl.col("query_id").is_in(pl.Series(queries, dtype=pl.String).implode())))


def _words(text: str) -> list[str]:
    return text.split()
