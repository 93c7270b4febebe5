"""`inherit`: a student with some of a larger model's layers, before any training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.training import teacher_cost
from rankdistill.verbs.arguments import Model, Place, place_of, reference_of
from rankdistill.verbs.contract import verb


@verb
def inherit(
    model: Model,
    keep_layers: Sequence[int],
    out: Place,
    *,
    with_head: bool = False,
    progress: ProgressLike = False,
) -> Path:
    """Write the student that `train` starts from where it is given `keep_layers`.

    Args:
        model: the larger encoder.
        keep_layers: layers to keep, from 0, in ascending order.
        out: folder of the student; one that holds exactly this is left as it is.
        with_head: keep the head over the vocabulary too: the model is SPLADE, or a masked language model.
        progress: True tells on standard error; or a function, which is called with nothing in between.

    Returns:
        `out`.

    Raises:
        ConfigError: a layer does not exist, comes twice, or is out of order.
        ModelReferenceError: the model does not load, or its architecture is not known.
        StaleOutputError: `out` was made from other inputs.
    """
    from rankdistill.students import inherit as students

    reference, folder = reference_of(model), place_of(out)
    with reporter_of(progress).stage("initial", "layers"):
        students.inherit(reference, keep_layers, folder, with_head)
        teacher_cost.carry(reference, folder)
    return folder
