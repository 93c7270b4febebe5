"""SPLADE-doc students: SPLADE documents; a query is the set of its tokens, all of the same weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from rankdistill.inference.splade_head import pool_before_activation
from rankdistill.students import sparse
from rankdistill.training.batch import Side, Start
from rankdistill.training.config import RegulariserName
from rankdistill.training.types.base import StudentType
from rankdistill.training.types.splade import Splade, plain


class SpladeDoc(StudentType):
    """The score is the sum of a document's weights of the query's tokens: no model runs for a query.

    Source: Formal et al. 2021, arXiv 2109.10086, section 3.4.
    """

    usage = Splade.usage
    penalties: ClassVar[Mapping[Side, RegulariserName]] = {"document": "flops"}

    def load(self, start: Start) -> Any:
        """A `SparseEncoder` whose queries weigh every token 1."""
        documents = plain(start)
        ones = np.ones(sparse.vocabulary_size(documents), dtype=np.float32)
        model = sparse.with_static_queries(documents, ones, learned=False)
        pool_before_activation(model)
        return model


TYPE = SpladeDoc()
