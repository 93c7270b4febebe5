"""What training asks of a type of student: a model, the scores of a batch, a dev test."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from transformers import TrainerCallback

from rankdistill.data import Dataset
from rankdistill.students.dense import is_bounded, similarity_of
from rankdistill.training import artefact, columns, dev, query_length
from rankdistill.training.batch import Collator, Scorer, Side, Start
from rankdistill.training.config import RegulariserName, TrainConfig
from rankdistill.training.evaluation import Evaluation
from rankdistill.training.vector_scores import VectorScores


class StudentType(ABC):
    """One type of student; its models are sentence-transformers' own and save themselves.

    What is not said otherwise is that of a model that gives one vector a text.
    """

    usage: ClassVar[str]
    """How a program uses such a student: Python, for its card."""

    penalties: ClassVar[Mapping[Side, RegulariserName]] = {}
    """The regularisers where the settings name none; empty for types whose vectors are over no vocabulary."""

    in_batch: ClassVar[bool] = True
    """Whether a contrastive term compares a query with other rows' documents too."""

    @abstractmethod
    def load(self, start: Start) -> Any:
        """The model, on the CPU; ModelReferenceError where `start.reference` cannot become such a student."""

    def is_bounded(self, model: Any) -> bool:
        """Whether its scores lie in a fixed range whatever the weights, so that a scale must reach the teacher's."""
        return is_bounded(model)

    def is_cosine(self, model: Any) -> bool:
        """Whether its scores lie in [-1, 1]: far narrower than logits, whatever the text."""
        return self.is_bounded(model)

    def cuts_queries(self, model: Any) -> bool:
        """Whether `max_query_length` has an effect."""
        return query_length.reaches(model)

    def collator(self, model: Any, names: Sequence[str], config: TrainConfig) -> Collator:
        """Tokenises the text columns `names` (query, positive, negatives) as the student will be used."""
        return columns.text_collator(model, names, config)

    def scorer(self, model: Any, contrastive: bool, in_batch: bool = False) -> Scorer:
        """Scores batches.

        Args:
            model: the student.
            contrastive: with candidates for a contrastive term.
            in_batch: with the scores of every query with the whole batch's documents; never asked of a type without
                the class attribute `in_batch`.
        """
        return VectorScores(similarity_of(model), columns.pad_token(model), contrastive, bool(self.penalties))

    def evaluation(self, model: Any, dataset: Dataset, split: str, config: TrainConfig) -> Evaluation:
        """The dev test while training; higher is better."""
        return dev.retrieval(model, dataset, split, config.dev_queries, config.dev_documents)

    def reads_documents(self, config: TrainConfig) -> bool:
        """Whether `load` looks at the collection's documents."""
        return False

    def rates(self, config: TrainConfig) -> Mapping[str, float]:
        """Parameter name (a regular expression) -> its peak learning rate, for those that have one of their own."""
        return {}

    def callbacks(self, model: Any) -> Sequence[TrainerCallback]:
        """What the trainer calls besides."""
        return ()

    def save(self, model: Any, out: Path) -> None:
        """Write the trained model into `out`, for the plain library."""
        artefact.save(out, model)
