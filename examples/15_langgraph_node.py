"""A router of whole chains as a node in a graph: no command, no edge, just the node.

It prints:

    formal: Dear Sir or Madam, thank you for your letter.
    formal: Dear Sir or Madam, thank you for your letter.
    chains that ran: 1
"""

from typing import TypedDict

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langgraph.graph import END, START, StateGraph

from langchain_sls import SLSRouter
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Budget, Candidate, Settings, build


class State(TypedDict, total=False):
    """What the graph hands on."""

    query: str
    reply: str


settings = Settings(
    candidates=[
        Candidate(name="formal", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4),
        Candidate(name="friendly", input_usd_per_mtok=5, output_usd_per_mtok=15),
    ],
    budget=Budget(price=1e5),  # so thrifty that the cheap route is always taken first
    encoder="hashing",  # needs no weights; leave this line out for the better default
)
models = {
    "formal": ScriptedChatModel(
        model_name="formal", reply="Dear Sir or Madam, thank you for your letter."
    ),
    "friendly": ScriptedChatModel(model_name="friendly", reply="Hi there!"),
}
routes = {
    name: ChatPromptTemplate.from_messages([("system", f"Be {name}."), ("human", "{query}")])
    | model
    | StrOutputParser()
    for name, model in models.items()
}

with build(settings) as engine:
    taken = []
    router = SLSRouter(engine, routes, on_decision=lambda facts: taken.append(facts["candidate"]))

    def answer(state: State) -> State:
        """The node."""
        return {"reply": router.invoke({"query": state["query"]})}

    graph = StateGraph(State)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    app = graph.compile()
    for _ in range(2):
        done = app.invoke({"query": "Please confirm that you have my letter."})
        print(f"{taken[-1]}: {done['reply']}")
    print(f"chains that ran: {len(models['formal'].heard)}")
