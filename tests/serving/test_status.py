"""`/health`, `/ready`, `/info`."""

from __future__ import annotations

import asyncio

import pytest

from rankdistill.serving.app import create_app
from rankdistill.serving.refusals import BackendRefusal
from rankdistill.serving.routes import status
from tests.serving.fakes import FakeHolder, FakeModel, ask, converse


def test_ready_asks_every_model_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask, and at once; a second is as long here as a machine that does much else may need."""
    monkeypatch.setattr(status, "FRESH_SECONDS", 600.0)

    async def many() -> tuple[list[int], FakeModel]:
        app = create_app(FakeHolder(model := FakeModel(), FakeModel("other")))
        replies = await asyncio.gather(*(converse(app, "/ready", [b""], "GET") for _ in range(5)))
        replies.append(await converse(app, "/ready", [b""], "GET"))
        return [reply.status for reply in replies], model

    statuses, model = asyncio.run(many())
    assert statuses == [200] * 6
    assert model.probed == 1


def test_a_broken_model_is_told_and_health_stays() -> None:
    """With what is broken, and when to ask again."""
    broken = FakeModel("broken", broken=BackendRefusal(expected="numbers", got="NaN"))
    app = create_app(FakeHolder(FakeModel(), broken))
    answer = ask(app, "/ready")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "broken: NaN" in answer.json["error"]
    assert ask(app, "/health").status == 200


def test_a_model_that_hangs_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer is not waited for."""
    monkeypatch.setattr(status, "PROBE_SECONDS", 0.01)

    class Hanging(FakeModel):
        async def probe(self) -> None:
            await asyncio.Event().wait()

    answer = ask(create_app(FakeHolder(Hanging())), "/ready")
    assert answer.status == 503
    assert "does not answer" in answer.json["error"]


@pytest.mark.parametrize("why", ["warming", "draining"])
def test_what_is_not_ready_says_why(why: str) -> None:
    """And no model is asked."""
    holder = FakeHolder(model := FakeModel())
    holder.ready = (False, why)
    answer = ask(create_app(holder), "/ready")
    assert answer.status == 503
    assert why in answer.json["error"]
    assert model.probed == 0


def test_a_probe_lasts_longer_than_who_asked() -> None:
    """The state is held until the probe is done."""

    async def leave() -> tuple[int, int]:
        going = asyncio.Event()

        class Slow(FakeModel):
            async def probe(self) -> None:
                await going.wait()

        holder = FakeHolder(Slow())
        asked = asyncio.create_task(converse(create_app(holder), "/ready", [b""], "GET"))
        while holder.state.using < 2:
            await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        held = holder.state.using
        going.set()
        await holder.state.facts["probe"][1]
        return held, holder.state.using

    assert asyncio.run(leave()) == (1, 0)


def test_info_tells_what_is_served_and_what_is_accepted() -> None:
    """TEI's fields, and ours."""
    holder = FakeHolder(model := FakeModel(), FakeModel("pairs", kind="pairs", sides=()), reranker="pairs")
    told = ask(create_app(holder), "/info").json
    assert told["model_id"] == "tiny"
    assert told["max_client_batch_size"] == told["limits"]["client_batch"] == 32
    assert told["limits"]["inputs"] == 2048
    assert told["space"] == model.space.fingerprint
    assert told["towers"] == ["query", "document"]
    assert told["max_input_length"] == 16
    assert [one["kind"] for one in told["models"]] == ["dense", "pairs"]
    assert told["models"][0]["dimensions"] == [8, 4]
