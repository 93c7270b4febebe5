"""Pair heads: a small network over the vectors of a dense model, which stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from rankdistill.data import Dataset
from rankdistill.errors import ModelReferenceError
from rankdistill.inference import pair_head
from rankdistill.inference.pair_head import PairHead as Head
from rankdistill.students import dense
from rankdistill.training import artefact, dev_reranking
from rankdistill.training.batch import Candidates, Scored, Scorer, Start
from rankdistill.training.columns import pad_token
from rankdistill.training.config import TrainConfig
from rankdistill.training.embedding import Features, embed, embed_sorted, stack_columns
from rankdistill.training.evaluation import Evaluation
from rankdistill.training.types.base import StudentType


class PairHead(StudentType):
    """A head that scores the vectors of a query and a document, trained; the encoder below it is not.

    The vectors in an index of the encoder stay valid: the head is a second stage over them.

    Source: Barkan et al. 2020, arXiv 1908.05161, where the encoder is trained too.
    """

    usage: ClassVar[str] = """from rankdistill.teachers import load

scorer = load("PATH_OF_THIS_FOLDER")
print(scorer.score([("what is distillation?", "Distillation trains a small model to score as a large one does.")]))"""

    in_batch: ClassVar[bool] = False

    def load(self, start: Start) -> Any:
        """The dense model of `students.dense.load`, frozen, with a new head, or the one beside it."""
        model = dense.load(start.reference)
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        model.append(_head(model, start))
        return model

    def is_bounded(self, model: Any) -> bool:
        """Never: the head's scores are logits."""
        return False

    def scorer(self, model: Any, contrastive: bool, in_batch: bool = False) -> Scorer:
        """The head's scores."""
        return _HeadScores(model[-1], pad_token(model), contrastive)

    def evaluation(self, model: Any, dataset: Dataset, split: str, config: TrainConfig) -> Evaluation:
        """Re-ranks what BM25 finds in the sample of documents."""
        return dev_reranking.reranking(dataset, split, config.dev_queries, config.dev_documents, _Predictor)

    def save(self, model: Any, out: Path) -> None:
        """The dense model as it was, and the head beside it."""
        head = model.pop(-1)
        artefact.save(out, model)
        pair_head.write(head, out)


@dataclass(frozen=True)
class _HeadScores:
    head: Head
    pad_token_id: int
    contrastive: bool

    def __call__(self, model: nn.Module, columns: Sequence[Features]) -> Scored:
        query_features, *document_columns = columns
        queries = embed(model, query_features)
        documents = embed_sorted(model, stack_columns(document_columns, self.pad_token_id))
        with torch.autocast(queries.device.type, enabled=False):
            own = self.head.score(queries[:, None], documents.unflatten(0, (len(queries), -1)))
        if not self.contrastive:
            return Scored(own)
        return Scored(own, Candidates(own, torch.zeros(len(own), dtype=torch.long, device=own.device), None))


@dataclass(frozen=True)
class _Predictor:
    """The model as the library's test of cross-encoders calls one."""

    model: Any

    @property
    def model_card_data(self) -> Any:
        """The model's."""
        return self.model.model_card_data

    def predict(self, pairs: Sequence[Sequence[str]], **settings: Any) -> Any:
        """The head's scores of (query, document) pairs."""
        queries = self.model.encode_query([query for query, _ in pairs], show_progress_bar=False)
        documents = self.model.encode_document([document for _, document in pairs], show_progress_bar=False)
        device = self.model.device
        with torch.inference_mode():
            sides = (torch.from_numpy(side).to(device) for side in (queries, documents))
            return self.model[-1].score(*sides).float().cpu().numpy()


def _head(model: Any, start: Start) -> Head:
    from rankdistill import models
    from rankdistill.inference.loading import PAIR_HEAD

    path = models.resolve(start.reference).path
    if (path / PAIR_HEAD).is_file():
        return pair_head.read(path)
    dimension = model.get_embedding_dimension()
    if dimension is None:
        raise ModelReferenceError(
            expected="a dense model that tells the length of its vectors",
            got=f"{start.reference!r}, which does not",
            consequence="no head was made",
            remedy="give another dense model",
        )
    with torch.random.fork_rng():
        torch.manual_seed(start.config.seed)
        return Head(dimension, start.config.pair_width, dense.similarity_of(model) == "cosine")


TYPE = PairHead()
