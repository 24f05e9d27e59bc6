"""What every host must do, over real HTTP: inherit the suites and say how your host is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sls_plugins.assembly import build
from sls_plugins.engine import Engine
from sls_plugins.errors import NoCandidateLeft, ProviderError
from sls_plugins.settings import Budget, PartSettings, Settings
from sls_plugins.testing.hosts import TOOL, Host, Kind, Said, Way, causes_of
from sls_plugins.testing.openai import Fault, Heard, OpenAIServer, Reply, obliging
from sls_plugins.types import Candidate, Outcome, OutcomeKind

__all__ = ["HostFaultContract", "HostReplayContract"]

QUESTION = "How big is 'Rome'?"
FIRST, SECOND = "first", "second"
ALL = frozenset({"tools", "vision", "json", "audio"})

FAULTS = (
    Fault.RATE_LIMITED,
    Fault.SERVER_ERROR,
    Fault.HANG,
    Fault.CUT,
    Fault.QUIET_END,
    Fault.WRONG_JSON,
    Fault.WRONG_SHAPE,
)
CALLS = (Way.INVOKE, Way.AINVOKE, Way.STREAM, Way.ASTREAM)
STREAMS = (Way.STREAM, Way.ASTREAM)


class _HostContract:
    """The server and the engine that both suites use."""

    @pytest.fixture
    def server(self) -> Iterator[OpenAIServer]:
        """Where "first" and "second" answer; they oblige until a test changes `default`."""
        with OpenAIServer() as server:
            yield server

    @pytest.fixture
    def engine(self) -> Iterator[Engine]:
        """Tries "first" first; its purse counts."""
        settings = Settings(
            candidates=(
                Candidate(
                    name=FIRST,
                    input_usd_per_mtok=0.1,
                    output_usd_per_mtok=0.4,
                    capabilities=ALL,
                ),
                Candidate(
                    name=SECOND,
                    input_usd_per_mtok=10.0,
                    output_usd_per_mtok=40.0,
                    capabilities=ALL,
                ),
            ),
            budget=Budget(price=1e6, usd=100.0),
            encoder=PartSettings(name="hashing"),
            index=PartSettings(name="memory"),
            plugins=(),
        )
        with build(settings) as engine:
            yield engine

    @pytest.fixture
    def host(self, engine: Engine, server: OpenAIServer) -> Host:
        """The host under test: no retries of its own, time-outs of 0.3 s."""
        raise NotImplementedError


class HostFaultContract(_HostContract):
    """Each fault, in each way of calling: override `host`, and `takeover_host` if there is one."""

    @pytest.fixture
    def takeover_host(self) -> Host:
        """The same host, told to let the second model go on where the first one broke."""
        pytest.xfail("this host has no policy for streams that break after their first chunk")

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("way", CALLS)
    async def test_the_next_candidate_answers(
        self, host: Host, engine: Engine, server: OpenAIServer, way: Way, fault: Fault
    ) -> None:
        """A candidate that fails before it has said a word is replaced; all is settled and logged.

        The caller sees the second model's answer, whole and once.
        """
        server.default = _failing(FIRST, fault)

        said = await host.ask(way, Kind.PLAIN, QUESTION)

        assert said.text == f"{SECOND} heard: {QUESTION}"
        assert said.facts["candidate"] == SECOND
        assert set(said.facts["failures"]) == {FIRST}
        assert _kinds(engine) == [(FIRST, OutcomeKind.FAILED), (SECOND, OutcomeKind.ANSWERED)]
        assert engine.parts.ledger.purse().reserved_usd == 0.0

    @pytest.mark.parametrize("fault", FAULTS)
    async def test_an_agent_goes_on_with_the_next_candidate(
        self, host: Host, engine: Engine, server: OpenAIServer, fault: Fault
    ) -> None:
        """An agent calls its tool and speaks, though the first model always fails."""
        server.default = _failing(FIRST, fault)

        said = await host.ask(Way.AGENT, Kind.PLAIN, QUESTION)

        assert said.text == f"{SECOND} heard: Rome is big."
        assert _kinds(engine).count((SECOND, OutcomeKind.ANSWERED)) == 2
        assert engine.parts.ledger.purse().reserved_usd == 0.0

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("way", [*CALLS, Way.AGENT])
    async def test_every_candidate_failing_is_told_with_every_cause(
        self, host: Host, engine: Engine, server: OpenAIServer, way: Way, fault: Fault
    ) -> None:
        """When nobody can answer, the error says why for each candidate; nothing stays held."""
        server.default = _failing("", fault)

        with pytest.raises(Exception) as caught:  # noqa: PT011 - hosts may wrap ours
            await host.ask(way, Kind.PLAIN, QUESTION)

        (ours,) = [each for each in causes_of(caught.value) if isinstance(each, NoCandidateLeft)]
        assert set(ours.causes) == {FIRST, SECOND}
        assert _kinds(engine) == [(FIRST, OutcomeKind.FAILED), (SECOND, OutcomeKind.FAILED)]
        assert engine.parts.ledger.purse().reserved_usd == 0.0

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("way", STREAMS)
    async def test_breaking_in_mid_stream_is_told(
        self, host: Host, engine: Engine, server: OpenAIServer, way: Way, fault: Fault
    ) -> None:
        """A stream that breaks after its first words raises; what was said is charged, once."""
        server.default = _failing(FIRST, fault, after=2)

        with pytest.raises(Exception) as caught:  # noqa: PT011 - hosts may wrap ours
            await host.ask(way, Kind.PLAIN, QUESTION)

        ours = [each for each in causes_of(caught.value) if isinstance(each, ProviderError)]
        assert ours
        assert ours[0].candidate == FIRST
        assert server.asked(SECOND) == []
        (line,) = _outcomes(engine)
        assert (line.candidate, line.kind) == (FIRST, OutcomeKind.FAILED)
        assert (line.cost_usd or 0) > 0
        assert engine.parts.ledger.purse().reserved_usd == 0.0

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("way", STREAMS)
    async def test_the_next_candidate_takes_over_in_mid_stream(
        self, takeover_host: Host, engine: Engine, server: OpenAIServer, way: Way, fault: Fault
    ) -> None:
        """Where that is the policy, the caller sees one text, nothing twice, nothing lost."""
        server.default = _continued(fault)

        said = await takeover_host.ask(way, Kind.PLAIN, QUESTION)

        assert said.text == "one two three four five six"
        assert set(said.facts["failures"]) == {FIRST}
        assert _kinds(engine) == [(FIRST, OutcomeKind.FAILED), (SECOND, OutcomeKind.ANSWERED)]
        assert engine.parts.ledger.purse().reserved_usd == 0.0


class HostReplayContract(_HostContract):
    """A hit beside the first answer, in each way of calling, for each kind of question.

    `never_cached` are the kinds whose answers are always called afresh.
    """

    never_cached: frozenset[Kind] = frozenset({Kind.TOOLS})

    @pytest.mark.parametrize("kind", list(Kind))
    @pytest.mark.parametrize("way", [*CALLS, Way.BATCH])
    async def test_a_miss_is_the_models_own_answer(
        self, host: Host, server: OpenAIServer, way: Way, kind: Kind
    ) -> None:
        """What the model said comes through, its tokens are counted, the decision is told."""
        said = await host.ask(way, kind, QUESTION)

        _is_right(said, kind)
        assert said.billed_tokens > 0
        assert (said.facts["source"], said.facts["candidate"]) == ("model", FIRST)
        assert len(server.heard) == 1

    @pytest.mark.parametrize("kind", list(Kind))
    @pytest.mark.parametrize("way", [*CALLS, Way.BATCH])
    async def test_a_hit_looks_like_the_first_answer(
        self, host: Host, server: OpenAIServer, way: Way, kind: Kind
    ) -> None:
        """A hit differs in what it costs and in what we tell of it; tool calls are never served."""
        first = await host.ask(way, kind, QUESTION)

        again = await host.ask(way, kind, QUESTION)

        assert again.seen == first.seen
        if kind in self.never_cached:
            assert again.facts["source"] == "model"
            assert len(server.heard) == 2
            return
        assert again.facts["source"] == "cache"
        assert again.billed_tokens == 0
        assert again.message_id is None or again.message_id != first.message_id
        assert len(server.heard) == 1

    @pytest.mark.parametrize("way", [*CALLS, Way.BATCH])
    async def test_unrelated_short_questions_share_nothing(self, host: Host, way: Way) -> None:
        """Two short questions about other things have two answers."""
        said = [await host.ask(way, Kind.SYSTEM, each) for each in ("Who is 'Ann'?", "Is it wet?")]

        assert [each.facts["source"] for each in said] == ["model", "model"]
        assert said[0].text != said[1].text

    @pytest.mark.parametrize("kind", [Kind.IMAGE, Kind.MULTI_TURN, Kind.SYSTEM, Kind.STRUCTURED])
    async def test_surroundings_are_walls(self, host: Host, kind: Kind) -> None:
        """The same question with a picture, a past, a system prompt or a schema is another one."""
        await host.ask(Way.INVOKE, Kind.PLAIN, QUESTION)

        assert (await host.ask(Way.INVOKE, kind, QUESTION)).facts["source"] == "model"


def _failing(model: str, fault: Fault, after: int = 0) -> Callable[[Heard], Reply]:
    """A model that always fails in one way (all models, if it has no name); others oblige."""

    def reply(heard: Heard) -> Reply:
        if model not in {"", heard.model}:
            return obliging(heard)
        words = "one two three four"
        return Reply(text=words, fault=fault, after=after, retry_after_s=0.01)

    return reply


def _continued(fault: Fault) -> Callable[[Heard], Reply]:
    """The first model breaks after three words; the second goes on where it is told to."""

    def reply(heard: Heard) -> Reply:
        if heard.model == FIRST:
            return Reply(text="one two three four five six", fault=fault, after=3)
        return Reply(text=" four five six")

    return reply


def _is_right(said: Said, kind: Kind) -> None:
    if kind is Kind.TOOLS:
        assert said.calls == ((TOOL, {"city": "Rome"}),)
    elif kind is Kind.STRUCTURED:
        assert said.structured == {"name": "Rome", "people": 3}
    else:
        assert said.text.startswith(f"{FIRST} heard: {QUESTION}")


def _outcomes(engine: Engine) -> list[Outcome]:
    return list(engine.parts.log.after(0, 100))


def _kinds(engine: Engine) -> list[tuple[str, OutcomeKind]]:
    return [(each.candidate, each.kind) for each in _outcomes(engine)]
