"""Cases in which LlamaIndex's own selectors crashed or chose wrongly, by the issue's number."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from llama_index.core.query_engine import CustomQueryEngine, RouterQueryEngine
from llama_index.core.tools import QueryEngineTool, ToolMetadata

from llama_index_sls import SLSSelector
from llama_index_sls.testing import ScriptedLLM
from sls_plugins import Candidate, Engine

MakeEngine = Callable[..., Engine]
NAMES = ("summary", "vector", "keyword")
DESCRIPTIONS = (
    "Useful for summarization questions about the essay.",
    "Useful for retrieving specific context from the essay.",
    "Useful for looking up keywords in the essay.",
)

BROKEN_REPLIES = {
    "16480-two-for-one": '[{"choice": 2, "reason": "compares"}, {"choice": 1, "reason": "names"}]',
    "23072-zero": '[{"choice": 0, "reason": "first"}]',
    "23072-beyond": '[{"choice": 9, "reason": "last"}]',
    "16390-more-than-json": (
        '[{"choice": 1, "reason": "an answer"}]\n\nNow I answer the question itself:\n'
        '[{"choice": 2, "reason": "another answer"}]\n'
    ),
    "17344-no-choice": '[{"reason": "there is no choice here"}]',
    "17396-no-json": "I would take (2), because { it is about the essay",
    "15768-empty-list": "```json\n[]\n```",
    "6607-object": '{"choice": 1, "reason": "an object instead of a list"}',
    "8701-prose": "Sure! The best choice is the second one.",
    "8701-nothing": "",
}


class Echo(CustomQueryEngine):
    """A query engine that says its name."""

    name: str

    def custom_query(self, query_str: str) -> str:
        return self.name


@pytest.fixture
def engine(make_engine: MakeEngine) -> Engine:
    """Three query engines with fixed fees."""
    return make_engine(
        tuple(
            Candidate(name=name, input_usd_per_mtok=0, output_usd_per_mtok=0, usd_per_query=0.001)
            for name in NAMES
        )
    )


def tools() -> list[QueryEngineTool]:
    return [
        QueryEngineTool.from_defaults(query_engine=Echo(name=name), name=name, description=text)
        for name, text in zip(NAMES, DESCRIPTIONS, strict=True)
    ]


@pytest.mark.parametrize("reply", BROKEN_REPLIES.values(), ids=list(BROKEN_REPLIES))
async def test_what_an_llm_says_cannot_misroute(engine: Engine, reply: str) -> None:
    """An LLM whose answers have broken LlamaIndex's own selectors is not asked at all."""
    llm = ScriptedLLM(model_name="broken", reply=reply)
    router = RouterQueryEngine(SLSSelector(engine), tools(), llm=llm)

    assert str(router.query("a summarization of the essay")) == "summary"
    assert str(await router.aquery("looking up keywords")) == "keyword"
    assert llm.heard == []


@pytest.mark.parametrize("selections", [1, 2])
async def test_no_more_than_were_asked_for(engine: Engine, selections: int) -> None:
    """#16480: a selector of one never returns two; one of two never three."""
    selector = SLSSelector(engine, most=selections)
    asked = "summarization questions, retrieving specific context, looking up keywords"

    assert 1 <= len(selector.select(tools_metadata(), asked).selections) <= selections
    assert 1 <= len((await selector.aselect(tools_metadata(), asked)).selections) <= selections


def test_one_tool_only(engine: Engine) -> None:
    """#6607: a router over a single tool takes it, whatever is asked."""
    llm = ScriptedLLM(model_name="unused")
    router = RouterQueryEngine(SLSSelector(engine), tools()[:1], llm=llm)

    assert str(router.query("something else entirely")) == "summary"


def test_llm_without_function_calling(engine: Engine) -> None:
    """No LLM's capabilities matter for the choice."""
    llm = ScriptedLLM(model_name="plain", takes_tools=False)

    assert str(RouterQueryEngine(SLSSelector(engine), tools(), llm=llm).query("keywords")) in NAMES


@pytest.mark.parametrize(
    "description",
    [
        'Answers with JSON such as {"choice": 1}.',
        "Has {braces} and {{more braces}} and %s.",
        "Line one.\nLine two.\r\nLine three.",
        "(1) A list (2) in a description",
        "",
    ],
)
def test_descriptions_are_only_text(engine: Engine, description: str) -> None:
    """#17396: braces, numbers and line ends in a description are words like others."""
    choices = [ToolMetadata(name="vector", description=description), ToolMetadata("Keywords.")]

    assert SLSSelector(engine).select(choices, "What is {this}?").ind in (0, 1)


def test_several_selections_have_one_index_each(engine: Engine) -> None:
    """#17344: a selection of several is a list of distinct, valid places."""
    result = SLSSelector(engine, most=3).select(
        tools_metadata(), "summarization questions, and looking up keywords"
    )

    assert len(result.inds) > 1
    assert set(result.inds) <= {0, 1, 2}
    assert len(set(result.inds)) == len(result.inds)


def tools_metadata() -> list[ToolMetadata]:
    return [tool.metadata for tool in tools()]
