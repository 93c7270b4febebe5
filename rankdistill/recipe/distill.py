"""`distill`: from files to a bundle, its index and a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from rankdistill import files
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.notes import tell
from rankdistill.progress import ProgressLike, Reporter, reporter_of
from rankdistill.recipe.choosing.choose import BASE, DENSE, Choice, choice, name_of
from rankdistill.recipe.choosing.facts import SAMPLED
from rankdistill.recipe.choosing.sizes import OVERRUN
from rankdistill.recipe.choosing.writing import text as recipe_text
from rankdistill.recipe.collection import source_of
from rankdistill.recipe.distilling import outputs, telling
from rankdistill.recipe.distilling.asked import Asked
from rankdistill.recipe.distilling.layout import Layout, is_distilled
from rankdistill.recipe.distilling.result import Distilled, Planned
from rankdistill.recipe.distilling.source import Source
from rankdistill.recipe.distilling.stages import Placed
from rankdistill.recipe.init import Chosen
from rankdistill.recipe.loading import expect, load, parse
from rankdistill.recipe.run import run
from rankdistill.recipe.staged.run import StagedRun
from rankdistill.recipe.staged.schema import StagedRecipe
from rankdistill.verbs.arguments import Data, Model, Place, place_of, reference_of, require_range
from rankdistill.verbs.contract import verb
from rankdistill.verbs.data import local, requested
from rankdistill.verbs.looking import look_at, require_library, require_size
from rankdistill.verbs.settings import teacher_identity

CHOSEN, REASON_GIVEN = "the recipe that was chosen", "as was asked for"


@verb
def distill(
    documents: Data,
    out: Place,
    *,
    teacher: Model = BASE,
    queries: Place | None = None,
    qrels: Place | Sequence[Place] = (),
    clicks: Place | None = None,
    minutes: float = 60.0,
    max_mb: float | None = None,
    from_: str | None = None,
    id: str | None = None,
    title: str | None = None,
    text: str | None = None,
    keep: str | Sequence[str] = (),
    number_rows: bool = False,
    encoding: str | None = None,
    delimiter: str | None = None,
    query_id: str | None = None,
    query_text: str | None = None,
    qrels_columns: str | Sequence[str] = (),
    clicks_columns: str | Sequence[str] = (),
    min_clicks: int = 1,
    passage_tokens: int | None = None,
    overlap: int = 0,
    overrides: Sequence[str] = (),
    onnx: bool = True,
    plan: bool = False,
    lenient: bool = False,
    progress: ProgressLike = False,
    command: str = "",
) -> Distilled | Planned:
    """Distil a teacher into a small retriever for documents, and say whether to ship it.

    Makes a collection of the files, chooses a recipe that fits, runs it, and ends with a bundle, its index, a report
    and the verdict. Interrupted, the same call goes on; done, it does nothing. A verdict that refuses raises nothing
    here: `ship` of what is returned is False, and the command ends with 2.

    Args:
        documents: a folder of text files, a table, what `datasets` saved, a BEIR folder, or an opened collection; as
            `convert` takes them.
        out: folder for everything.
        teacher: a model, or a YAML file with its kind and settings.
        queries: a file of queries, as of a log.
        qrels: judgements, `SPLIT=FILE` or FILE.
        clicks: a table of query, document and perhaps a count.
        minutes: that it may take on this machine; a few texts are encoded and steps trained to know what fits.
        max_mb: megabytes that the student may take.
        from_: `files`, `csv`, `jsonl`, `parquet`, `datasets` or `beir`; this and the next are those of `convert`.
        id: column of the documents' ids.
        title: column of their titles.
        text: column of their texts.
        keep: further columns, which become metadata.
        number_rows: let ids be the rows' numbers.
        encoding: of text files and of CSV.
        delimiter: between the columns of CSV.
        query_id: column of the ids of `queries`.
        query_text: column of their texts.
        qrels_columns: of query, document and label.
        clicks_columns: of query, document and count.
        min_clicks: clicks of a pair that count at all.
        passage_tokens: cut documents into passages of so many of the student's tokens at most.
        overlap: tokens that passages have in common.
        overrides: changes of the recipe that is chosen, such as `train.steps=200`.
        onnx: make int8 and float32 ONNX files, and judge the int8 one.
        plan: say what would be chosen and how long it takes; nothing is run or written.
        lenient: leave bad rows and files out, and tell of them, instead of stopping.
        progress: True tells on standard error.
        command: the command line, for manifests.

    Returns:
        What lies where, with the verdict; with `plan` what would be chosen.

    Raises:
        ConfigError: settings that cannot be; too few minutes or megabytes, with the fewest that do; `out` in the
            documents' folder.
        DataError: the files cannot be used.
        ModelReferenceError: there is no such teacher.
        MissingDependencyError: a library is not installed that will be needed, before anything is done.
        StaleOutputError: `out` is of other inputs or settings; the message says which.
        OutputError: `out` holds something else.
        RankdistillError: whatever a step raises.
    """
    require_range(0.01, minutes=minutes, max_mb=max_mb)
    layout, reporter, reference = Layout(place_of(out)), reporter_of(progress), reference_of(teacher)
    layout.require_ours()
    opened, place = (documents, documents.path) if isinstance(documents, Dataset) else (None, local(documents))
    request = requested(
        place,
        kind=from_,
        id=id,
        title=title,
        text=text,
        keep=keep,
        encoding=encoding,
        delimiter=delimiter,
        queries=queries,
        query_id=query_id,
        query_text=query_text,
        qrels=qrels,
        qrels_columns=qrels_columns,
        clicks=clicks,
        clicks_columns=clicks_columns,
        tokenizer=None if passage_tokens is None else _space(reference),
        number_rows=number_rows,
        min_clicks=min_clicks,
        passage_tokens=passage_tokens,
        overlap=overlap,
        lenient=lenient,
    )
    source = Source.of(request, opened)
    if source.request is not None:
        layout.require_apart(source.place)
    look_at(reference)
    _require_free(overrides)
    settings = {"teacher": reference, "minutes": minutes, "max_mb": max_mb, "overrides": [*overrides], "onnx": onnx}
    job = _Job(layout, source, reference, settings, reporter, command)
    if plan:
        return job.planned()
    if onnx:
        for module in ("onnx", "onnxruntime"):
            require_library(module, "the int8 file of the student, unless it is left out (--no-onnx),")
    with files.exclusive(layout.root):
        return job.distilled()


class _Job:
    """One call, from the files to the verdict."""

    def __init__(
        self,
        layout: Layout,
        source: Source,
        teacher: str,
        settings: dict[str, Any],
        reporter: Reporter,
        command: str,
    ) -> None:
        self.layout, self.source, self.teacher, self.settings = layout, source, teacher, settings
        self.reporter, self.command = reporter, command

    @property
    def minutes(self) -> float:
        return float(self.settings["minutes"])

    @property
    def steps_given(self) -> bool:
        """Whether `--set` says how much is trained: then nothing is too few, and the minutes are of other steps."""
        names = {one.partition("=")[0].strip() for one in self.settings["overrides"]}
        return not names.isdisjoint({"align.steps", "train.steps"})

    def planned(self) -> Planned:
        """What would be chosen, with a collection that is thrown away."""
        with files.temporary_folder() as folder:
            dataset = self.source.collection(folder / "data", self.reporter, self.command)
            found = self.choice(dataset)
        assert found.minutes is not None
        assert found.least is not None
        chosen = Chosen(self.layout.recipe, found.recipe, found.reasons)
        told = tuple(telling.lines(found))
        return Planned(chosen, told, found.minutes, found.least, self.minutes, self.steps_given)

    def distilled(self) -> Distilled:
        """Do what is not done yet."""
        from rankdistill.verbs.compare import Results

        layout, onnx = self.layout, bool(self.settings["onnx"])
        placed = Placed(self.reporter, "documents")
        placed.begin(f"documents of {self.source.place}")
        dataset = self.source.collection(layout.data, placed, self.command)
        asked = Asked.of(dataset, teacher_identity(self.teacher), self.settings)
        before = Asked.read(layout) if is_distilled(layout.root) else None
        if before is None:
            asked = self.chosen(dataset, asked)
        else:
            before.require_same(asked, layout)
            asked = before
            if asked.finished and outputs.is_whole(layout):
                tell(f"{layout.root} is up to date")
                return Distilled(layout.root, Results.read(layout.root))
        made = StagedRun(self.located(expect(load(layout.recipe), StagedRecipe)), self.command)
        steps = made.steps()
        placed = Placed(self.reporter, "run", [step.name for step in steps])
        placed.begin(f"run of {layout.recipe}, {sum(step.done for step in steps)} of {len(steps)} steps done already")
        first, *_ = run(made.recipe, progress=placed, command=self.command)
        outputs.make_bundle(made, layout, onnx, Placed(self.reporter, "bundle"), self.command)
        outputs.copy_index(made, layout, Placed(self.reporter, "index"))
        results = outputs.judge(made, first, layout, onnx, Placed(self.reporter, "verdict"), self.command)
        asked.done().write(layout)
        return Distilled(layout.root, results)

    def chosen(self, dataset: Dataset, asked: Asked) -> Asked:
        """Choose the recipe, write it, and say what it is."""
        placed = Placed(self.reporter, "recipe")
        placed.begin(f"recipe, for {self.minutes:g} minutes")
        with placed.stage("recipe", "documents") as stage:
            found = self.choice(dataset)
            stage(len(dataset.document_lines))
        if not self.steps_given:
            _require_minutes(found, self.minutes)
        path = self.layout.recipe
        heading = f"Chosen by `rankdistill distill` for {self.source.place}. It is run with  rankdistill run {path}"
        content = recipe_text(found.recipe, found.reasons, heading)
        asked = asked.with_recipe(content)
        asked.write(self.layout)
        files.write_text(path, content)
        for line in telling.lines(found):
            tell(f"  {line}")
        tell(f"  {path} says why each value is what it is")
        return asked

    def choice(self, dataset: Dataset) -> Choice:
        """What fits, with what was asked for besides."""
        max_mb = self.settings["max_mb"]
        found = choice(dataset, self.teacher, self.minutes, max_mb)
        if max_mb is not None:
            texts = [one.contents for one in islice(dataset.documents(), SAMPLED)]
            require_size(found.recipe.student.model, found.recipe.student.keep_layers, max_mb, texts)
        content = found.recipe.model_dump(mode="json", exclude_unset=True)
        content |= {"name": name_of(self.source.place)}
        tests = sorted(content["data"]["test"], key=lambda split: -len(dataset.judgements.get(split, ())))
        content["data"] |= {"test": tests}
        recipe = self.located(expect(parse(content, CHOSEN, self.settings["overrides"]), StagedRecipe))
        if len(recipe.trainings) > 1:
            raise ConfigError(
                expected="one training, whose student is judged and comes into the bundle",
                got=", ".join(recipe.trainings),
                consequence="nothing was run: a verdict on several would be of none that is shipped",
                remedy="leave seeds and variants out of --set; `rankdistill run` with the recipe compares several",
            )
        given = dict.fromkeys((one.partition("=")[0] for one in self.settings["overrides"]), REASON_GIVEN)
        return replace(found, recipe=recipe, reasons=found.reasons | given)

    def located(self, recipe: StagedRecipe) -> StagedRecipe:
        """The recipe with the places as they are named in this call: from another folder they have other names."""
        content = recipe.model_dump(mode="json", exclude_unset=True) | {"out": str(self.layout.run)}
        made = self.layout.data if self.source.request is not None else self.source.place
        content["data"] |= {"source": source_of(made)}
        return expect(parse(content, CHOSEN), StagedRecipe)


def _require_free(overrides: Sequence[str]) -> None:
    """Raise ConfigError where a place is set that follows from the call."""
    if taken := [one for one in overrides if one.partition("=")[0].strip() in ("out", "data.source")]:
        raise ConfigError(
            expected="--set with settings of the recipe that the call does not decide",
            got=taken[0],
            consequence="nothing was run: the documents are those of --documents, and all is written below --out",
            remedy="give --documents or --out instead",
        )


def _space(teacher: str) -> str:
    """The model whose tokens the student has."""
    return teacher if look_at(teacher).kind == DENSE else BASE


def _require_minutes(found: Choice, minutes: float) -> None:
    """Raise ConfigError where the fewest steps that show anything take longer."""
    if found.minutes is None or found.least is None or found.minutes <= OVERRUN * minutes:
        return
    raise ConfigError(
        expected=f"{math.ceil(found.least)} minutes or more for this collection and teacher, the fewest in which "
        "anything is learnt by what was measured here",
        got=f"minutes {minutes:g}",
        consequence="nothing was run",
        remedy=f"--minutes {math.ceil(found.least)}, fewer documents, or a faster teacher or machine",
    )
