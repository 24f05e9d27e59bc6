"""Use a router LLM in a step of a workflow, under a tenant and a task of its own.

Labels come by LlamaIndex's tags: they keep tenants' answers apart, and let the engine learn for
each task which LLM is worth its price. LLMs are scripted: the program runs offline. It prints:

    acme: a model answers: Two sentences.
    acme again: from the cache: Two sentences.
    other: a model answers: Two sentences.
"""

import asyncio
import warnings

from llama_index.core.workflow import StartEvent, StopEvent, Workflow, step
from llama_index_instrumentation.dispatcher import instrument_tags

from llama_index_sls import SLSRouterLLM
from llama_index_sls.testing import ScriptedLLM
from sls_plugins import Budget, Candidate, Settings, build

warnings.simplefilter("ignore", DeprecationWarning)  # those of LlamaIndex's own workflows

settings = Settings(
    candidates=[
        Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4),
        Candidate(name="large", input_usd_per_mtok=5, output_usd_per_mtok=15),
    ],
    budget=Budget(price=1e5),  # so thrifty that the cheap LLM is always asked first
    encoder="hashing",  # needs no weights; leave this line out for the better default
)


class Summary(Workflow):
    """Summarises a text in one step."""

    def __init__(self, llm: SLSRouterLLM) -> None:
        """The LLM is handed in."""
        super().__init__()
        self.llm = llm

    @step
    async def summarise(self, ev: StartEvent) -> StopEvent:
        """Ask the LLM, which does not block the other steps meanwhile."""
        with instrument_tags({"sls_tenant": ev.tenant, "sls_task": "summary"}):
            response = await self.llm.acomplete(f"Summarise: {ev.text}")
        return StopEvent(result=response)


async def main() -> None:
    """Three runs."""
    with build(settings) as engine:
        llms = {
            name: ScriptedLLM(model_name=name, reply="Two sentences.")
            for name in ("small", "large")
        }
        llm = SLSRouterLLM(engine, llms)
        for who in ("acme", "acme again", "other"):
            tenant = who.split()[0]
            said = await Summary(llm).run(text="One sentence. Another one.", tenant=tenant)
            cached = said.additional_kwargs["sls"]["source"] == "cache"
            print(f"{who}: {'from the cache' if cached else 'a model answers'}: {said.text}")


asyncio.run(main())
