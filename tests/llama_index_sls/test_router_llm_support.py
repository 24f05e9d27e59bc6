"""All that an SLSRouterLLM can be used for, in every way; docs/adapters.md has the table of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from llama_index.core import Document, PromptTemplate, SummaryIndex
from llama_index.core.agent.workflow import AgentStream, FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import StartEvent, StopEvent, Workflow, step
from pydantic import BaseModel

from llama_index_sls import SLSRouterLLM
from llama_index_sls.testing import ScriptedLLM
from sls_plugins import Engine
from sls_plugins.settings import CacheSettings

BLOCKING, ASYNC, STREAM, ASTREAM = "blocking", "async", "streaming", "async streaming"
QUESTION = "How big is 'Rome'?"
PROMPT = PromptTemplate("How big is '{place}'?")
Ask = Callable[[SLSRouterLLM], Awaitable[Any]]


class City(BaseModel):
    """A city."""

    name: str


def look_up(city: str) -> str:
    """Look up a city."""
    return f"{city} is big."


TOOL = FunctionTool.from_defaults(look_up)
TOLD = [ChatMessage(QUESTION)]


@dataclass(frozen=True)
class Use:
    """One use of the LLM: what for, in which way, and what comes of it."""

    name: str
    way: str
    ask: Ask
    repeats: str = "free"
    """What a repeat is: free, from the cache; or called afresh."""


async def last(chunks: AsyncIterator[Any]) -> Any:
    return [chunk async for chunk in chunks][-1]


async def joined(words: AsyncIterator[str]) -> str:
    return "".join([word async for word in words])


def index() -> SummaryIndex:
    return SummaryIndex.from_documents([Document(text="Rome is big.")])


async def _chat(llm: SLSRouterLLM) -> Any:
    return llm.chat(TOLD).message.content


async def _achat(llm: SLSRouterLLM) -> Any:
    return (await llm.achat(TOLD)).message.content


async def _stream_chat(llm: SLSRouterLLM) -> Any:
    return list(llm.stream_chat(TOLD))[-1].message.content


async def _astream_chat(llm: SLSRouterLLM) -> Any:
    return (await last(await llm.astream_chat(TOLD))).message.content


async def _complete(llm: SLSRouterLLM) -> Any:
    return llm.complete(QUESTION).text


async def _acomplete(llm: SLSRouterLLM) -> Any:
    return (await llm.acomplete(QUESTION)).text


async def _stream_complete(llm: SLSRouterLLM) -> Any:
    return list(llm.stream_complete(QUESTION))[-1].text


async def _astream_complete(llm: SLSRouterLLM) -> Any:
    return (await last(await llm.astream_complete(QUESTION))).text


async def _predict(llm: SLSRouterLLM) -> Any:
    return llm.predict(PROMPT, place="Rome")


async def _apredict(llm: SLSRouterLLM) -> Any:
    return await llm.apredict(PROMPT, place="Rome")


async def _stream(llm: SLSRouterLLM) -> Any:
    return "".join(llm.stream(PROMPT, place="Rome"))


async def _astream(llm: SLSRouterLLM) -> Any:
    return await joined(await llm.astream(PROMPT, place="Rome"))


def called(llm: SLSRouterLLM, said: Any) -> Any:
    [call] = llm.get_tool_calls_from_response(said)
    return f"{call.tool_name} {call.tool_kwargs['city']}"


async def _tools(llm: SLSRouterLLM) -> Any:
    return called(llm, llm.chat_with_tools([TOOL], QUESTION))


async def _atools(llm: SLSRouterLLM) -> Any:
    return called(llm, await llm.achat_with_tools([TOOL], QUESTION))


async def _stream_tools(llm: SLSRouterLLM) -> Any:
    return called(llm, list(llm.stream_chat_with_tools([TOOL], QUESTION))[-1])


async def _astream_tools(llm: SLSRouterLLM) -> Any:
    return called(llm, await last(await llm.astream_chat_with_tools([TOOL], QUESTION)))


async def _structured(llm: SLSRouterLLM) -> Any:
    return llm.structured_predict(City, PROMPT, place="Rome").name


async def _astructured(llm: SLSRouterLLM) -> Any:
    return (await llm.astructured_predict(City, PROMPT, place="Rome")).name


async def _stream_structured(llm: SLSRouterLLM) -> Any:
    return list(llm.stream_structured_predict(City, PROMPT, place="Rome"))[-1].name


async def _astream_structured(llm: SLSRouterLLM) -> Any:
    return (await last(await llm.astream_structured_predict(City, PROMPT, place="Rome"))).name


async def _structured_llm(llm: SLSRouterLLM) -> Any:
    return llm.as_structured_llm(City).chat(TOLD).raw.name


async def _astructured_llm(llm: SLSRouterLLM) -> Any:
    return (await llm.as_structured_llm(City).achat(TOLD)).raw.name


async def _stream_structured_llm(llm: SLSRouterLLM) -> Any:
    return list(llm.as_structured_llm(City).stream_chat(TOLD))[-1].raw.name


async def _astream_structured_llm(llm: SLSRouterLLM) -> Any:
    return (await last(await llm.as_structured_llm(City).astream_chat(TOLD))).raw.name


async def _predict_and_call(llm: SLSRouterLLM) -> Any:
    return str(llm.predict_and_call([TOOL], QUESTION))


async def _apredict_and_call(llm: SLSRouterLLM) -> Any:
    return str(await llm.apredict_and_call([TOOL], QUESTION))


async def _query(llm: SLSRouterLLM) -> Any:
    return str(index().as_query_engine(llm=llm).query(QUESTION))


async def _aquery(llm: SLSRouterLLM) -> Any:
    return str(await index().as_query_engine(llm=llm).aquery(QUESTION))


async def _stream_query(llm: SLSRouterLLM) -> Any:
    return str(index().as_query_engine(llm=llm, streaming=True).query(QUESTION))


async def _astream_query(llm: SLSRouterLLM) -> Any:
    said = await index().as_query_engine(llm=llm, streaming=True).aquery(QUESTION)
    return await joined(said.async_response_gen())


def chat_engine(llm: SLSRouterLLM) -> Any:
    memory = ChatMemoryBuffer.from_defaults(llm=llm)
    return index().as_chat_engine(chat_mode="context", llm=llm, memory=memory)


async def _chat_engine(llm: SLSRouterLLM) -> Any:
    return str(chat_engine(llm).chat(QUESTION))


async def _achat_engine(llm: SLSRouterLLM) -> Any:
    return str(await chat_engine(llm).achat(QUESTION))


async def _stream_chat_engine(llm: SLSRouterLLM) -> Any:
    return "".join(chat_engine(llm).stream_chat(QUESTION).response_gen)


async def _astream_chat_engine(llm: SLSRouterLLM) -> Any:
    said = await chat_engine(llm).astream_chat(QUESTION)
    return await joined(said.async_response_gen())


async def _agent(llm: SLSRouterLLM) -> Any:
    agent = FunctionAgent(tools=[TOOL], llm=llm, streaming=False)
    return (await agent.run(QUESTION)).response.content


async def _astream_agent(llm: SLSRouterLLM) -> Any:
    run = FunctionAgent(tools=[TOOL], llm=llm).run(QUESTION)
    words = [event.delta async for event in run.stream_events() if isinstance(event, AgentStream)]
    await run
    return "".join(words)


class Asking(Workflow):
    """A workflow of one step, which asks the LLM."""

    llm: Any = None

    @step
    async def ask(self, ev: StartEvent) -> StopEvent:
        return StopEvent(result=(await self.llm.acomplete(ev.question)).text)


async def _workflow(llm: SLSRouterLLM) -> Any:
    flow = Asking()
    flow.llm = llm
    return await flow.run(question=QUESTION)


def four(name: str, *asks: Ask | None, repeats: str = "free") -> list[Use]:
    """One use in up to four ways."""
    ways = (BLOCKING, ASYNC, STREAM, ASTREAM)
    pairs = zip(ways, asks, strict=False)
    return [Use(name, way, ask, repeats) for way, ask in pairs if ask is not None]


AFRESH = "afresh"

USES = [
    *four("`chat`", _chat, _achat, _stream_chat, _astream_chat),
    *four("`complete`", _complete, _acomplete, _stream_complete, _astream_complete),
    *four("`predict`, `stream`", _predict, _apredict, _stream, _astream),
    *four("`chat_with_tools`", _tools, _atools, _stream_tools, _astream_tools, repeats=AFRESH),
    *four(
        "`structured_predict`",
        _structured,
        _astructured,
        _stream_structured,
        _astream_structured,
    ),
    *four(
        "`as_structured_llm`",
        _structured_llm,
        _astructured_llm,
        _stream_structured_llm,
        _astream_structured_llm,
    ),
    *four("`predict_and_call`", _predict_and_call, _apredict_and_call, repeats=AFRESH),
    *four("query engines", _query, _aquery, _stream_query, _astream_query),
    *four("chat engines", _chat_engine, _achat_engine, _stream_chat_engine, _astream_chat_engine),
    *four("agents", None, _agent, None, _astream_agent, repeats=AFRESH),
    *four("steps of workflows", None, _workflow),
]

SAID = {
    "`chat_with_tools`": "look_up Rome",
    "`structured_predict`": "Rome",
    "`as_structured_llm`": "Rome",
    "`predict_and_call`": "Rome is big.",
}
"""What comes of a use; else it is the LLM's words."""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the workflows' own
@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.name.strip('`')}-{use.way}")
async def test_every_use_in_every_way(use: Use, llm: SLSRouterLLM, small: ScriptedLLM) -> None:
    """It works, the chosen LLM is asked, and a repeat is as free as the table says."""
    wanted = SAID.get(use.name, "Small says so.")

    assert await use.ask(llm) == wanted
    asked = len(small.heard)
    assert asked > 0
    assert await use.ask(llm) == wanted

    assert (len(small.heard) == asked) is (use.repeats == "free")


CALLING = [use for use in USES if use.name in {"`chat_with_tools`", "`predict_and_call`", "agents"}]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the workflows' own
@pytest.mark.parametrize("use", CALLING, ids=lambda use: f"{use.name.strip('`')}-{use.way}")
@pytest.mark.parametrize("by", ["the router", "the engine's settings"])
async def test_tool_calls_are_free_where_they_may_be_kept(
    use: Use, by: str, make_engine: Callable[..., Engine], small: ScriptedLLM, large: ScriptedLLM
) -> None:
    """With the opt-in, calls are made and tools' results spoken of as the first time, for free.

    An agent shows an LLM its stored call in another form than its own: that is new to the cache.
    """
    engine = make_engine(cache=CacheSettings(tool_calls=by != "the router"))
    llms = {"small": small, "large": large}
    llm = SLSRouterLLM(engine, llms, cache_tool_calls=by == "the router")
    wanted = SAID.get(use.name, "Small says so.")

    assert await use.ask(llm) == wanted
    asked = len(small.heard)
    assert await use.ask(llm) == wanted
    assert len(small.heard) == asked + (use.name == "agents")
    assert await use.ask(llm) == wanted
    assert len(small.heard) == asked + (use.name == "agents")


async def test_who_opted_out_is_not_served_tool_calls(
    engine: Engine, small: ScriptedLLM, large: ScriptedLLM
) -> None:
    """What one router keeps is not served to another that does not say so, over one engine."""
    llms = {"small": small, "large": large}
    await _atools(SLSRouterLLM(engine, llms, cache_tool_calls=True))
    asked = len(small.heard)

    await _atools(SLSRouterLLM(engine, llms))

    assert len(small.heard) == 2 * asked


async def test_an_object_that_breaks_its_class_is_not_kept(
    llm: SLSRouterLLM, small: ScriptedLLM
) -> None:
    """The next one who asks is not given it."""
    small.arguments = {"people": 3}
    with pytest.raises(ValueError, match="name"):
        await _structured(llm)
    small.arguments = None

    assert await _structured(llm) == "Rome"
