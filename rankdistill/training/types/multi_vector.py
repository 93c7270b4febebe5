"""Multi-vector students: one vector a token, compared by MaxSim."""

from __future__ import annotations

from typing import Any

from rankdistill.students import multi_vector
from rankdistill.training.batch import Scorer, Start
from rankdistill.training.columns import pad_token
from rankdistill.training.token_scores import TokenScores
from rankdistill.training.types.base import StudentType


class MultiVector(StudentType):
    """A late-interaction encoder, or a transformer with a new projection of its tokens.

    Source: Khattab and Zaharia 2020, arXiv 2004.12832; with Margin-MSE Hofstätter et al. 2020, arXiv 2010.02666.
    """

    usage = """from sentence_transformers import MultiVectorEncoder

model = MultiVectorEncoder("PATH_OF_THIS_FOLDER")
queries = model.encode_query(["what is distillation?"])
documents = model.encode_document(["Distillation trains a small model to score as a large one does."])
print(model.similarity(queries, documents))"""

    def load(self, start: Start) -> Any:
        """The model of `students.multi_vector.load`."""
        config = start.config
        return multi_vector.load(start.reference, config.dropout, config.token_dimension, config.seed)

    def is_bounded(self, model: Any) -> bool:
        """By the number of query tokens, where vectors have unit length."""
        return multi_vector.is_normalised(model)

    def is_cosine(self, model: Any) -> bool:
        """Where the mean is taken over the query's tokens, not the sum: MaxSim grows with their number."""
        return self.is_bounded(model) and model.similarity_fn_name == "meanmaxsim"

    def scorer(self, model: Any, contrastive: bool, in_batch: bool = False) -> Scorer:
        """MaxSim."""
        return TokenScores(model.similarity_fn_name == "meanmaxsim", pad_token(model), contrastive, in_batch)


TYPE = MultiVector()
