"""A student and its teacher on one split, as the verbs that measure the two side by side open them."""

from __future__ import annotations

from rankdistill.data import Dataset
from rankdistill.evaluation.towers import Towers, open_towers
from rankdistill.verbs.arguments import Data, Model, collection_of, reference_of, require_length
from rankdistill.verbs.lengths import note_longer


def opened(
    data: Data,
    split: str,
    query_model: Model,
    document_model: Model,
    *,
    backend: str,
    max_length: int | None,
    unaligned: bool,
    lenient: bool,
    ignore_identical_ids: bool | None,
) -> tuple[Dataset, Towers]:
    """The collection and both models; see `robustness` for the arguments and errors.

    A note says where a model reads more of a text than it was trained with.
    """
    require_length(max_length=max_length)
    dataset = collection_of(data, [split], lenient, ignore_identical_ids)
    dataset.queries(split)
    student, teacher = reference_of(query_model), reference_of(document_model)
    for one in (student, teacher):
        note_longer(one, max_length)
    return dataset, open_towers(student, teacher, backend=backend, max_length=max_length, unaligned=unaligned)
