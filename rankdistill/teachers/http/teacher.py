"""The `http` teacher: pairs grouped into requests, sent concurrently, scores put back in the order of the pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Event
from typing import Any

import numpy as np

from rankdistill import names
from rankdistill.errors import TeacherError
from rankdistill.progress import Progress
from rankdistill.teachers.base import ScoreKind, check_scores, teacher_id
from rankdistill.teachers.http.answers import Answer, Api
from rankdistill.teachers.http.apis import APIS
from rankdistill.teachers.http.client import Client, RefusedError
from rankdistill.teachers.http.concurrency import run_all
from rankdistill.teachers.http.estimate import estimate
from rankdistill.teachers.http.pacing import Clock
from rankdistill.teachers.http.settings import Settings
from rankdistill.teachers.http.usage import Usage

__all__ = ["HttpTeacher", "Settings", "load"]

_RANGES = {"probability": (0.0, 1.0), "cosine": (-1.0, 1.0)}
_SLACK = 1e-3
"""Rounding on the server may put a score this far outside its range."""


MOST_FAILED = 20
"""Requests of one call that may be refused while others are answered; with more, it is not about these pairs."""


@dataclass(frozen=True)
class _Request:
    """Some documents of one query; `rows` are their places among the pairs."""

    query: str
    documents: list[str]
    rows: list[int]


class HttpTeacher:
    """Scores pairs through an HTTP API.

    The fingerprint holds the API, the address without secrets, every fixed field of the requests, and what the
    server reports about its model; never a key. A server that names another model in the midst of a run is refused.

    Args:
        settings: what is asked, where, and how hard.
        clock: time, replaced in tests.

    Raises:
        TeacherError: the server does not answer, or does not serve `settings.revision`.
        ConfigError: the environment variable of the API key is not set.
        MissingDependencyError: httpx is not installed.
    """

    def __init__(self, settings: Settings, clock: Clock = Clock()) -> None:  # noqa: B008 - immutable
        self.settings = settings
        self._api: Api = names.load(APIS[settings.api])(settings)
        self._client = Client(settings, clock)
        self._server = dict(self._api.server(self._client))
        self._model: str | None = None
        self._answered = False
        if "model_sha" in self._server:
            self._check_model(str(self._server["model_sha"]))

    @property
    def score_kind(self) -> ScoreKind:
        """The settings' unit, or the API's own."""
        return self.settings.score_kind or self._api.score_kind

    @property
    def usage(self) -> Usage:
        """Requests, retries, tokens and searches so far."""
        return self._client.meter.usage

    @property
    def cost(self) -> float:
        """Of the usage so far, in the currency of the settings' prices."""
        return self.usage.cost(self.settings.prices)

    def estimate(self, pairs: int, queries: int, sample: Sequence[tuple[str, str]]) -> Mapping[str, str]:
        """Requests, time and cost of scoring so many pairs, from the settings alone; sends nothing."""
        settings = self.settings
        return estimate(
            pairs,
            queries,
            sample,
            max_batch=self._max_batch,
            around=self._api.characters_around,
            prices=settings.prices,
            requests_per_minute=settings.requests_per_minute,
        )

    def spent(self) -> str:
        """The usage so far, and its cost where the settings give prices."""
        return self._client.spent()

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """API, address, requests, score kind, and what the server reports."""
        settings = self.settings
        prompt = {"prompt": settings.prompt.model_dump()} if settings.api == "openai-logprobs" else {}
        return {
            "kind": "http",
            "api": settings.api,
            "endpoint": settings.endpoint,
            "request": self._fixed,
            "score_kind": self.score_kind,
            "revision": settings.revision,
            "server": self._server,
        } | prompt

    @cached_property
    def teacher_id(self) -> str:
        """`http-<12 hex digits>`."""
        return teacher_id("http", self.fingerprint)

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """Scores, float32[n], in the order of `pairs`; `progress` moves with each answer.

        Raises:
            TeacherError: as `answers`.
        """
        scores = np.full(len(pairs), np.nan, dtype=np.float32)
        for rows, found in self.answers(pairs, progress):
            scores[rows] = found
        return check_scores(self.teacher_id, pairs, scores)

    def answers(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> Iterator[tuple[Sequence[int], np.ndarray]]:
        """(places in `pairs`, their scores, float32) of each answer, in the order in which they come.

        A request that the server refuses is asked again document by document, and what is refused then does not keep
        the others from being asked; the error comes when they have been.

        Raises:
            TeacherError: the server refuses, keeps failing, or gives scores that are missing, not finite, or outside
                the range of their kind.
        """
        requests = list(self._requests(pairs))
        failed: list[tuple[_Request, TeacherError]] = []
        hopeless: TeacherError | None = None

        def attempt(request: _Request, stop: Event) -> Answer | TeacherError:
            if hopeless is not None:
                raise hopeless
            return self._attempt(request, stop)

        for number, found in run_all(attempt, requests, self.settings.concurrency):
            request = requests[number]
            if isinstance(found, TeacherError):
                failed.append((request, found))
                # Before the first answer no more are asked than are under way: they may be paid for, and all like it.
                most = MOST_FAILED if self._answered else self.settings.concurrency - 1
                if hopeless is None and len(failed) > most:
                    hopeless = found  # no further request begins; what is under way is taken
                continue
            self._answered = True
            yield from self._taken(pairs, request, found, progress)
        if hopeless is not None or (failed and not self._answered):
            raise hopeless or failed[0][1]
        yield from self._one_by_one(pairs, failed, progress)

    def _one_by_one(
        self,
        pairs: Sequence[tuple[str, str]],
        failed: Sequence[tuple[_Request, TeacherError]],
        progress: Progress | None,
    ) -> Iterator[tuple[Sequence[int], np.ndarray]]:
        """Ask for the documents of requests that failed; raises the first error, with how many pairs have no score."""
        left = [(request, error) for request, error in failed if len(request.rows) == 1]
        single = [
            _Request(request.query, [document], [row])
            for request, _ in failed
            if len(request.rows) > 1
            for document, row in zip(request.documents, request.rows, strict=True)
        ]
        for number, found in run_all(self._attempt, single, self.settings.concurrency):
            if isinstance(found, TeacherError):
                left.append((single[number], found))
            else:
                yield from self._taken(pairs, single[number], found, progress)
        if left:
            (first, *_), error = left[0][0].rows, left[0][1]
            query, document = pairs[first]
            raise TeacherError(
                expected=error.expected,
                got=f"{error.got} ({len(left)} of {len(pairs)} pairs, as query {query[:60]!r} with {document[:60]!r})",
                consequence="these pairs have no score; the answers to the others are kept",
                remedy=f"{error.remedy}; or leave these pairs out of the candidates, and run the same command again",
            )

    def _taken(
        self, pairs: Sequence[tuple[str, str]], request: _Request, answer: Answer, progress: Progress | None
    ) -> Iterator[tuple[Sequence[int], np.ndarray]]:
        if answer.model is not None:
            self._check_model(answer.model)
        self._client.meter.add(answer.usage)
        yield request.rows, self._checked([pairs[row] for row in request.rows], answer)
        if progress is not None:
            progress(len(answer.scores))

    def _checked(self, pairs: Sequence[tuple[str, str]], answer: Answer) -> np.ndarray:
        with np.errstate(over="ignore"):
            narrow = np.asarray(answer.scores, dtype=np.float64).astype(np.float32)
        return self._in_range(check_scores(self.teacher_id, pairs, narrow))

    def _attempt(self, request: _Request, stop: Event) -> Answer | TeacherError:
        """The answer, or the error about what was asked; errors about the server are raised."""
        body = dict(self._api.body(request.query, request.documents)) | self._fixed
        try:
            content = self._client.post(body, stop)
        except RefusedError as error:
            return error
        try:
            answer = self._api.read(content, len(request.documents))
            self._checked([(request.query, document) for document in request.documents], answer)
        except TeacherError as error:
            return error
        return answer

    @property
    def _max_batch(self) -> int:
        return min(self.settings.max_batch, self._api.max_batch or self.settings.max_batch)

    @cached_property
    def _fixed(self) -> dict[str, Any]:
        return dict(self._api.fixed()) | dict(self.settings.extra)

    def _requests(self, pairs: Sequence[tuple[str, str]]) -> Iterator[_Request]:
        """The pairs by query, in the order of first appearance, cut into requests."""
        size = self._max_batch
        rows_of: dict[str, list[int]] = {}
        for row, (query, _) in enumerate(pairs):
            rows_of.setdefault(query, []).append(row)
        for query, rows in rows_of.items():
            for start in range(0, len(rows), size):
                some = rows[start : start + size]
                yield _Request(query, [pairs[row][1] for row in some], some)

    def _check_model(self, reported: str) -> None:
        """Raise unless the server reports the wanted revision, and the same one as before."""
        wanted = self.settings.revision or self._model or reported
        if reported != wanted:
            raise TeacherError(
                expected=f"the model {wanted!r} behind {self.settings.endpoint}",
                got=f"the server reports {reported!r}",
                consequence="scoring stopped: scores of two models must not be mixed; finished shards are kept",
                remedy="serve the old model again, or score into a new store, with the setting `revision`"
                f" {reported!r}",
            )
        self._model = reported

    def _in_range(self, scores: np.ndarray) -> np.ndarray:
        low, high = _RANGES.get(self.score_kind, (-np.inf, np.inf))
        outside = scores[(scores < low - _SLACK) | (scores > high + _SLACK)]
        if len(outside):
            raise TeacherError(
                expected=f"scores from {low:g} to {high:g}, as score_kind {self.score_kind!r} means",
                got=f"{len(outside)} of {len(scores)} outside, as {outside[0]:g}, from {self.settings.endpoint}",
                consequence="none of these scores was kept",
                remedy="say what the server gives in the setting `score_kind`: logit, probability, cosine or dot",
            )
        return scores


def load(settings: Settings) -> HttpTeacher:
    """The teacher; asks TEI about its model, and no other server anything."""
    return HttpTeacher(settings)
