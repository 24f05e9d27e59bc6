"""Run an agent with tools on a router LLM: every step goes to the LLM that is worth its price.

Each step is a decision of its own; here the cheap LLM breaks down once, so that the dear one steps
in. The LLMs are scripted, so that the program runs offline. It prints:

    large calls opening_hours(town='Goslar'), for small failed: TimeoutError: too busy
    small says: The shop is open from 9 to 6.
"""

import asyncio
import warnings

from llama_index.core.agent.workflow import AgentOutput, FunctionAgent
from llama_index.core.tools import FunctionTool

from llama_index_sls import SLSRouterLLM
from llama_index_sls.testing import ScriptedLLM
from sls_plugins import Budget, Candidate, Settings, build

warnings.simplefilter("ignore", DeprecationWarning)  # those of LlamaIndex's own workflows

TOOLS = frozenset({"tools"})
settings = Settings(
    candidates=[
        Candidate(
            name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4, capabilities=TOOLS
        ),
        Candidate(name="large", input_usd_per_mtok=5, output_usd_per_mtok=15, capabilities=TOOLS),
    ],
    budget=Budget(price=1e5),  # so thrifty that the cheap LLM is always asked first
    encoder="hashing",  # needs no weights; leave this line out for the better default
)
small = ScriptedLLM(model_name="small", reply="The shop is open from 9 to 6.")
large = ScriptedLLM(model_name="large", reply="From 9 to 6, as every day.")


def opening_hours(town: str) -> str:
    """Tell when the shop in a town is open."""
    small.error = None  # it has recovered meanwhile
    return f"The shop in {town} is open from 9 to 6."


async def main() -> None:
    """One run of the agent, step by step."""
    with build(settings) as engine:
        llm = SLSRouterLLM(engine, {"small": small, "large": large})
        small.error = TimeoutError("too busy")
        agent = FunctionAgent(
            tools=[FunctionTool.from_defaults(opening_hours)], llm=llm, streaming=False
        )
        run = agent.run("When is the shop in 'Goslar' open?")
        steps = [event async for event in run.stream_events() if isinstance(event, AgentOutput)]
        await run
        decided = [event.raw["model"] for event in steps]
        lines = engine.parts.log.after(0, 10)

    failed = next(line for line in lines if line.error)
    [call] = steps[0].tool_calls
    arguments = ", ".join(f"{key}={value!r}" for key, value in call.tool_kwargs.items())
    print(
        f"{decided[0]} calls {call.tool_name}({arguments}), "
        f"for {failed.candidate} failed: TimeoutError: {failed.error}"
    )
    print(f"{decided[1]} says: {steps[1].response.content}")


asyncio.run(main())
