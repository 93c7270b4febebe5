"""`explain`: the terms that a sparse model gives a text."""

from __future__ import annotations

from collections.abc import Sequence

from rankdistill.errors import ConfigError
from rankdistill.evaluation import explaining
from rankdistill.evaluation.explaining import Explained, Explanation, Side
from rankdistill.verbs.arguments import Model, listed, reference_of, require_length
from rankdistill.verbs.contract import verb
from rankdistill.verbs.lengths import note_longer


@verb
def explain(
    model: Model,
    texts: str | Sequence[str],
    *,
    as_: Side = "document",
    query: str | None = None,
    top: int = 20,
    max_length: int | None = None,
    backend: str = "auto",
) -> Explanation:
    """The terms and weights that a sparse model gives a text, and which of them the text does not have itself.

    Args:
        model: a sparse encoder.
        texts: one text or several.
        as_: what they are.
        query: show what a document shares with this query, by its score.
        top: terms printed of each; 0 prints all.
        max_length: tokens of a text; the model's own unless given.
        backend: what runs the model.

    Returns:
        The texts with all their terms, which print as a table each.

    Raises:
        ConfigError: a query beside `as_="query"`, a negative `top`; the model is not sparse.
        ModelReferenceError: the model is not to be found.
    """
    from rankdistill.inference.sparse_encoder import SparseTextEncoder

    if query is not None and as_ == "query":
        raise ConfigError(
            expected="a document to compare with the query (--query)",
            got="a text as a query (--as query)",
            consequence="nothing was explained",
            remedy="leave one of the two out",
        )
    if top < 0:
        raise ConfigError(
            expected="a number of terms to print; 0 prints all",
            got=str(top),
            consequence="nothing was explained",
            remedy="raise top",
        )
    require_length(max_length=max_length)
    reference = reference_of(model)
    note_longer(reference, max_length)
    encoder = SparseTextEncoder(reference, backend, max_length)
    found = [
        Explained(text, explaining.explain(encoder, text, as_, query), top or None, query is not None)
        for text in listed(texts)
    ]
    return Explanation(reference, as_, query, found)
