"""Cross-encoder students: read the query and a document together; a second stage that is cheaper than the teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rankdistill.data import Dataset
from rankdistill.students import cross_encoder
from rankdistill.training import dev_reranking
from rankdistill.training.batch import Collator, Scorer, Start
from rankdistill.training.columns import PairCollator, pad_token
from rankdistill.training.config import TrainConfig
from rankdistill.training.evaluation import Evaluation
from rankdistill.training.pair_scores import PairScores
from rankdistill.training.types.base import StudentType


class CrossEncoder(StudentType):
    """A smaller cross-encoder, such as some layers of the teacher, or an encoder with a new head.

    Source: the cross-encoder students of Hofstätter et al. 2020, arXiv 2010.02666.
    """

    usage = """from sentence_transformers import CrossEncoder

model = CrossEncoder("PATH_OF_THIS_FOLDER")
pairs = [("what is distillation?", "Distillation trains a small model to score as a large one does.")]
print(model.predict(pairs))"""

    in_batch: ClassVar[bool] = False

    def load(self, start: Start) -> Any:
        """The model of `students.cross_encoder.load`."""
        return cross_encoder.load(start.reference, start.config.dropout, start.config.seed)

    def is_bounded(self, model: Any) -> bool:
        """Never: scores are logits."""
        return False

    def cuts_queries(self, model: Any) -> bool:
        """Never: a pair is cut as a whole."""
        return False

    def collator(self, model: Any, names: Sequence[str], config: TrainConfig) -> Collator:
        """Pairs of the query and each document, cut together to `max_document_length`."""
        return PairCollator(model, config.max_document_length)

    def scorer(self, model: Any, contrastive: bool, in_batch: bool = False) -> Scorer:
        """Logits."""
        return PairScores(pad_token(model), contrastive)

    def evaluation(self, model: Any, dataset: Dataset, split: str, config: TrainConfig) -> Evaluation:
        """Re-ranks what BM25 finds in the sample of documents."""
        return dev_reranking.reranking(dataset, split, config.dev_queries, config.dev_documents)


TYPE = CrossEncoder()
