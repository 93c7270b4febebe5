"""The ensemble teacher: several teachers that score the same pairs, each in deviations of its own scores, averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from rankdistill.errors import ConfigError
from rankdistill.progress import Progress
from rankdistill.teachers import registry
from rankdistill.teachers.base import (
    ApproximateTeacher,
    MeteredTeacher,
    PairTeacher,
    check_scores,
    encodes_texts,
    needs_whole_queries,
    teacher_id,
)
from rankdistill.teachers.distinct import distinct
from rankdistill.teachers.settings import Settings as BaseSettings

KIND = "ensemble"


class EnsembleTeacher:
    """`sum_t w_t z_t / sum_t w_t`, with `z_t` the teacher's score in deviations.

    Without `deviations`, `z = (s - mean_q) / deviation_q` over the query's documents of one call (population deviation;
    0 where all are equal), as `rankdistill ensemble --calibrate zscore` reads a store: then a score means something
    beside the other scores of its query only, and all pairs of a query must be given together. With `deviations`,
    `z = s / deviation_t`, whatever else is scored: the mean that is missing cancels in margins.

    Args:
        members: the teachers, each with its weight; two of one id are an error of the settings.
        deviations: one a teacher, above 0; None: of each query.
    """

    def __init__(self, members: Sequence[tuple[PairTeacher, float]], deviations: Sequence[float] | None = None) -> None:
        self._members = [member for member, _ in members]
        total = sum(weight for _, weight in members)
        self._weights = [weight / total for _, weight in members]
        self._deviations = None if deviations is None else list(deviations)

    @property
    def score_kind(self) -> Literal["calibrated"]:
        """In no teacher's unit."""
        return "calibrated"

    @property
    def whole_queries(self) -> bool:
        """Whether a score depends on the query's other pairs."""
        return self._deviations is None or any(map(needs_whole_queries, self._members))

    @property
    def encodes_texts(self) -> bool:
        """Whether a member encodes each text of a call once."""
        return any(map(encodes_texts, self._members))

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """The members' own, their weights, and what they are divided by."""
        ids = [member.teacher_id for member in self._members]
        found: dict[str, Any] = {
            "kind": KIND,
            "members": {one: dict(member.fingerprint) for one, member in zip(ids, self._members, strict=True)},
            "weights": dict(zip(ids, self._weights, strict=True)),
            "calibrate": "zscore",
        }
        if self._deviations is None:
            return found | {"over": "the pairs scored together"}
        return found | {"deviations": dict(zip(ids, self._deviations, strict=True))}

    @cached_property
    def teacher_id(self) -> str:
        """`ensemble-<12 hex digits>`."""
        return teacher_id(KIND, self.fingerprint)

    def exact(self) -> Callable[[], EnsembleTeacher] | None:
        """Loads this teacher with its approximate members in float32; None where there are none."""
        found = [member.exact() if isinstance(member, ApproximateTeacher) else None for member in self._members]
        if not any(found):
            return None

        def load() -> EnsembleTeacher:
            members = [one() if one else member for one, member in zip(found, self._members, strict=True)]
            return EnsembleTeacher(list(zip(members, self._weights, strict=True)), self._deviations)

        return load

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> NDArray[np.float32]:
        """Weighted means of deviations, float32[n]; `progress` moves when every member has scored."""
        unique = list(dict.fromkeys(pairs))
        _, query = distinct([text for text, _ in unique])
        combined = np.zeros(len(unique))
        for number, (member, weight) in enumerate(zip(self._members, self._weights, strict=True)):
            scores = member.score(unique).astype(np.float64)
            scaled = standard(scores, query) if self._deviations is None else scores / self._deviations[number]
            combined += weight * scaled
        place = {pair: row for row, pair in enumerate(unique)}
        rows = np.fromiter((place[pair] for pair in pairs), dtype=np.int64, count=len(pairs))
        if progress is not None:
            progress(len(pairs))
        return check_scores(self.teacher_id, pairs, combined[rows].astype(np.float32))


def standard(scores: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """`(s - mean_g) / deviation_g` `[n]` with the population deviation of each group; 0 where all of it are equal.

    Args:
        scores: `[n]`.
        group: `[n]`, numbers from 0 of the groups.
    """
    count = np.bincount(group)
    centred = scores - (np.bincount(group, scores) / count)[group]
    deviation = np.sqrt(np.bincount(group, centred**2) / count)[group]
    order = np.argsort(group, kind="stable")
    starts = np.concatenate([[0], np.cumsum(count)[:-1]]) if len(count) else np.zeros(0, dtype=np.int64)
    in_order = scores[order]
    spread = (np.maximum.reduceat(in_order, starts) - np.minimum.reduceat(in_order, starts))[group] if len(count) else 0
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=np.asarray(spread) > 0)


class Settings(BaseSettings):
    """Settings of an ensemble teacher.

    Args:
        members: model references, YAML files of teachers, or the settings of teachers with their `kind`.
        weights: one a member, above 0; None: equal ones.
        deviations: what each member's scores are divided by, such as their mean deviation within a query; None: each
            query's scores by their own deviation, all pairs of a query together.
        backend: what runs the members that are model references; a member with settings says it itself.
        max_length: tokens of an input of those members at most; None keeps the model's own.
    """

    members: tuple[str | Mapping[str, Any], ...] = Field(min_length=2)
    weights: tuple[float, ...] | None = None
    deviations: tuple[float, ...] | None = None
    backend: Literal["auto", "torch", "onnx", "openvino"] = "auto"
    max_length: int | None = None

    @field_validator("weights", "deviations")
    @classmethod
    def _above_0(cls, given: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if given is not None and not all(0 < one < float("inf") for one in given):
            raise ValueError("each a number above 0")
        return given

    @model_validator(mode="after")
    def _one_a_member(self) -> Settings:
        for name, given in (("weights", self.weights), ("deviations", self.deviations)):
            if given is not None and len(given) != len(self.members):
                raise ValueError(f"{name}: one a member, so {len(self.members)}")
        return self


def load(settings: Settings) -> EnsembleTeacher:
    """The teacher with its members loaded.

    Raises:
        ConfigError: a member is none, is there twice, or costs money.
        ModelReferenceError: a member's model does not load.
    """
    members = [
        registry.specify(one, backend=settings.backend, max_length=settings.max_length).load()
        for one in settings.members
    ]
    weights = settings.weights or (1.0,) * len(members)
    for place, member in enumerate(members):
        if member.teacher_id in {other.teacher_id for other in members[:place]}:
            raise _wrong(f"{settings.members[place]!r} twice", "name each member once, and weigh it with `weights`")
        if isinstance(member, MeteredTeacher):
            raise _wrong(
                f"{settings.members[place]!r}, whose scores may cost money",
                "score it into a store beside the others, and average them there with `rankdistill ensemble`",
            )
    return EnsembleTeacher(list(zip(members, weights, strict=True)), settings.deviations)


def _wrong(got: str, remedy: str) -> ConfigError:
    return ConfigError(
        expected="an ensemble of different teachers that run here",
        got=got,
        consequence="no teacher was loaded",
        remedy=remedy,
    )
