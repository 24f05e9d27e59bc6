"""Structured extraction: an answer that breaks its schema counts as bad; another model is asked.

It prints:

    large: Invoice(number='A-17', total_usd=3.0), after small broke the schema
    large: Invoice(number='A-17', total_usd=3.0), from the cache
    graded 0 by itself: small
"""

from pydantic import BaseModel

from langchain_sls import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Budget, Candidate, Settings, build

TOOLS = frozenset({"tools"})
settings = Settings(
    candidates=[
        Candidate(
            name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4, capabilities=TOOLS
        ),
        Candidate(name="large", input_usd_per_mtok=5, output_usd_per_mtok=15, capabilities=TOOLS),
    ],
    budget=Budget(price=1e5),  # so thrifty that the cheap model is always asked first
    encoder="hashing",  # needs no weights; leave this line out for the better default
)


class Invoice(BaseModel):
    """What stands on an invoice."""

    number: str
    total_usd: float


wrong, right = {"number": "A-17", "total_usd": "three"}, {"number": "A-17", "total_usd": 3}
models = {
    "small": ScriptedChatModel(model_name="small", arguments=wrong),
    "large": ScriptedChatModel(model_name="large", arguments=right),
}

with build(settings) as engine:
    extract = ChatSLS(engine, models).with_structured_output(Invoice, include_raw=True)
    for _ in range(2):
        found = extract.invoke("Invoice A-17, to be paid: three dollars")
        sls = found["raw"].response_metadata["sls"]
        how = "from the cache" if sls["source"] == "cache" else "after small broke the schema"
        print(f"{sls['candidate']}: {found['parsed']!r}, {how}")
    graded = [line.candidate for line in engine.parts.log.after(0, 10) if line.quality == 0.0]
    print(f"graded 0 by itself: {', '.join(graded)}")
