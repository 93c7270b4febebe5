"""`mine`: candidates for the queries of a split, from any mix of sources."""

from __future__ import annotations

from collections.abc import Sequence

from rankdistill.fusion import Fusion
from rankdistill.mining import candidates
from rankdistill.mining.candidates import Candidates
from rankdistill.mining.source import Source
from rankdistill.mining.sources import Bm25Source
from rankdistill.mining.tokenisers import script_note
from rankdistill.notes import note
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.verbs.arguments import Data, Place, collection_of, note_split, place_of, require_length
from rankdistill.verbs.contract import verb
from rankdistill.verbs.lengths import note_longer
from rankdistill.verbs.settings import choice_of, sources_of


@verb
def mine(
    data: Data,
    out: Place,
    sources: str | Source | Sequence[str | Source] = ("bm25",),
    *,
    split: str | None = None,
    depth: int = 50,
    model: str | None = None,
    max_length: int | None = None,
    ranks: str | Sequence[str] | None = None,
    sample: int | str | Sequence[int | str] | None = None,
    seed: int = 0,
    keep_top: bool = False,
    fusion: str | Fusion | None = None,
    weights: Sequence[float] | None = None,
    limit_queries: int | None = None,
    lenient: bool = False,
    ignore_identical_ids: bool | None = None,
    progress: ProgressLike = False,
    command: str = "",
) -> Candidates:
    """Retrieve candidate documents for the queries of a split; judged positives are always kept.

    Args:
        data: the collection.
        out: folder for the candidates; one that holds exactly these is left as it is.
        sources: `bm25[:TOKENIZER]`, `dense:MODEL`, `sparse:MODEL`, `multi-vector:MODEL`, `lucene-bm25[:LANGUAGE]` or
            `index:INDEX`, with `NAME=` before it where two are of one kind; or `Source` objects.
        split: whose queries and labels; `unjudged` for queries that no split judges. Unless given `train`, or where
            there is no split at all, all queries, unlabelled.
        depth: how deep each source is asked.
        model: of sources written without one, as `dense`.
        max_length: tokens that models read of a text; their own limit unless given.
        ranks: keep ranks `FIRST:LAST` only, or of one source `SOURCE=FIRST:LAST`.
        sample: draw so many from the ranks, uniformly, or of one source `SOURCE=N`.
        seed: of the draw.
        keep_top: keep the first of each list too, whatever `ranks` and `sample` say, of queries without a relevant
            document: training with `unlabelled` `top` declares it their positive.
        fusion: `rrf`, `min_max` or `z_score`: let the fused list of the sources choose.
        weights: of the fusion, one a source.
        limit_queries: mine so many queries only, chosen by hash.
        lenient: leave bad rows out instead of stopping.
        ignore_identical_ids: whether the document that has the query's own id is left out; as `meta.json` says unless
            given, see `rankdistill.data.identical_ids`.
        progress: True tells on standard error; or a function that takes the number of texts just done.
        command: the command line, for the manifest.

    Returns:
        The candidates, which print as a count for each source.

    Raises:
        ConfigError: no such source, ranks outside the depth, or settings that do not fit together.
        DataError: the collection cannot be used, or has no such split.
        StaleOutputError: `out` holds other candidates.
    """
    require_length(max_length=max_length)
    found = sources_of(sources, model, max_length)
    choice = choice_of(ranks, sample, seed, fusion, weights, keep_top)
    for one in dict.fromkeys(getattr(source, "model", None) for source in found):
        note_longer(one, max_length)
    dataset = collection_of(data, [], lenient, ignore_identical_ids)
    chosen = split or dataset.default_split
    note_split(dataset, chosen)
    folder = place_of(out)
    queries = candidates.sample_queries(dataset.to_mine(chosen), limit_queries)
    with reporter_of(progress).stage(
        "mine", "texts", len(found) * (len(dataset.document_lines) + len(queries))
    ) as stage:
        candidates.build(
            folder,
            dataset,
            chosen,
            found,
            depth,
            window=choice.window,
            windows=choice.windows,
            fusion=choice.fusion,
            limit_queries=limit_queries,
            command=command,
            progress=stage,
        )
    for source in found:
        if isinstance(source, Bm25Source):
            note(script_note(source.tokenizer, (document.contents for document in dataset.documents())))
    mined = Candidates(folder, asked=len(queries))
    for line in mined.shortcomings():
        note(line)
    return mined
