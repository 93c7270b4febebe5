"""`token_table`: a static student before it is fitted and trained."""

from __future__ import annotations

from pathlib import Path

from rankdistill.inference.loading import quietly
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.stores.embeddings import EmbeddingStore
from rankdistill.students.settings import StudentSettings
from rankdistill.verbs.arguments import Place, embedding_store_of, place_of
from rankdistill.verbs.contract import verb_with_stores


@verb_with_stores("store")
def token_table(
    store: EmbeddingStore | Place,
    out: Place,
    *,
    settings: StudentSettings | None = None,
    progress: ProgressLike = False,
    command: str = "",
) -> Path:
    """Write what a static student would be without its teacher's vectors of texts: those of single tokens, weighted.

    A fitted student is held against it, as one with layers is against the cut model that `inherit` writes.

    Args:
        store: an embedding store, or its folder: its texts decide the words and their weights.
        out: folder of the student; one that holds exactly this is left as it is.
        settings: of the student that is fitted; the defaults unless given. Its fit is left out.
        progress: True tells on standard error; or a function that takes the number of texts and tokens just done.
        command: the command line, for the manifest.

    Returns:
        `out`.

    Raises:
        DataError: there is no finished store.
        ModelReferenceError: the teacher's tokeniser is not known.
        StaleOutputError: `out` was made from other inputs.
    """
    from rankdistill.students.unfitted import unfitted

    opened, folder = embedding_store_of(store), place_of(out)
    inputs = {"embeddings": opened.identity, "teacher": opened.teacher_id}
    with quietly(), reporter_of(progress).stage("table", "texts and tokens") as stage:
        return unfitted(opened, opened.space, inputs, settings or StudentSettings(), folder, stage, command)
