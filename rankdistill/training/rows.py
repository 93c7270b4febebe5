"""The rows of a whole run, in training order, as the columns that sentence-transformers' trainers take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from rankdistill.data.text_store import Chosen
from rankdistill.errors import StoreError
from rankdistill.inference.prompts import Role
from rankdistill.training.config import Sampling
from rankdistill.training.sampling import sample
from rankdistill.training.views import View

if TYPE_CHECKING:
    import datasets


class TrainingRows(Dataset[dict[str, Any]]):
    """Rows `query, positive, negative_1 .. negative_n, label` and no other column: one more would be read as text.

    `label` holds the raw teacher scores [positive, negative_1, ...]. Texts are looked up when a row is read, so a run's
    rows take 8 bytes a document. Every pass over the view draws new negatives in a new order, and all passes lie one
    after the other: an interrupted run goes on at its row, whatever the pass.

    Args:
        query: [rows], indexes into `query_texts`.
        documents: [rows, 1 + negatives], indexes into `document_texts`, the positive first.
        scores: [rows, 1 + negatives], raw teacher scores.
        query_texts: the texts.
        document_texts: the texts.
    """

    def __init__(
        self,
        query: NDArray[np.int32],
        documents: NDArray[np.int32],
        scores: NDArray[np.float32],
        query_texts: Sequence[str],
        document_texts: Sequence[str],
    ) -> None:
        self.query, self.documents, self.scores = query, documents, scores
        self.query_texts, self.document_texts = query_texts, document_texts
        self.text_columns = ["query", "positive", *(f"negative_{i}" for i in range(1, documents.shape[1]))]

    @property
    def column_names(self) -> list[str]:
        """The columns of a row, in order."""
        return [*self.text_columns, "label"]

    def __len__(self) -> int:
        return len(self.query)

    def __getitem__(self, index: int) -> dict[str, Any]:
        texts = [self.query_texts[self.query[index]], *(self.document_texts[code] for code in self.documents[index])]
        return dict(zip(self.text_columns, texts, strict=True)) | {"label": self.scores[index].tolist()}

    def texts(self, kind: Role) -> list[str]:
        """The different texts of a kind that stand in the rows."""
        if kind == "query":
            return list(dict.fromkeys(self.query_texts[code] for code in np.unique(self.query)))
        return list(dict.fromkeys(self.document_texts[code] for code in np.unique(self.documents)))

    def to_dataset(self) -> datasets.Dataset:
        """The same rows with their texts as a `datasets.Dataset`, for other trainers; holds every text in memory."""
        import datasets

        return datasets.Dataset.from_list([self[index] for index in range(len(self))])


def draw(
    view: View,
    query_texts: Mapping[str, str],
    document_texts: Mapping[str, str],
    total: int,
    negatives: int,
    sampling: Sampling,
    seed: int,
    order_of: Callable[[int], NDArray[np.int64]] | None = None,
) -> TrainingRows:
    """Draw `total` rows: as many passes over the view as it takes, each shuffled, with negatives of its own.

    Args:
        view: the rows of a pass.
        query_texts: query id -> text.
        document_texts: document id -> text.
        total: rows of the run.
        negatives: how many a row gets.
        sampling: how they are drawn.
        seed: of the draw and of the order.
        order_of: number of a pass -> the view's rows in its order; None: shuffled.

    Raises:
        StoreError: a query or document of the view has no text.
    """
    query, documents, scores = [], [], []
    passes = -(-total // len(view.query))
    for number in range(passes):
        drawn_documents, drawn_scores = sample(view, negatives, sampling, (seed, number, 0))
        order = order_of(number) if order_of else _shuffled(len(view.query), seed, number)
        query.append(view.query[order])
        documents.append(drawn_documents[order])
        scores.append(drawn_scores[order])
    return TrainingRows(
        np.concatenate(query)[:total],
        np.concatenate(documents)[:total],
        np.concatenate(scores)[:total],
        texts_of("query", view.query_ids, query_texts),
        texts_of("document", view.doc_ids, document_texts),
    )


def _shuffled(rows: int, seed: int, number: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, number, 1)).permutation(rows)


def texts_of(kind: str, ids: Sequence[str], texts: Mapping[str, str]) -> Sequence[str]:
    """The text of each id, read when it is asked for; StoreError where one has none."""
    absent = [one for one in ids if one not in texts]
    if absent:
        raise StoreError(
            expected=f"the text of every {kind} that has scores",
            got=f"{len(absent)} without one, first {absent[0]!r}",
            consequence="nothing was trained",
            remedy="make the score store again with its data set",
        )
    return Chosen(texts, ids)
