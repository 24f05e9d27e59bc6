"""A feedback button: thumbs by run id, as LangSmith has them, in two lines.

It prints:

    the run made 1 decision(s)
    after a thumb down the answer is not served again: model
    an answer that no parser can read was graded by itself: 0.0
"""

from uuid import uuid4

from langchain_core.exceptions import OutputParserException
from langchain_core.output_parsers import JsonOutputParser, StrOutputParser

from langchain_sls import ChatSLS, SLSFeedbackHandler
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Budget, Candidate, Settings, build

settings = Settings(
    candidates=[
        Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4),
        Candidate(name="large", input_usd_per_mtok=5, output_usd_per_mtok=15),
    ],
    budget=Budget(price=1e5),  # so thrifty that the cheap model is always asked first
    encoder="hashing",  # needs no weights; leave this line out for the better default
)
models = {name: ScriptedChatModel(model_name=name, reply="Perhaps.") for name in ("small", "large")}

with build(settings) as engine:
    chat = ChatSLS(engine, models)
    handler = SLSFeedbackHandler(engine)

    # What the page calls to show an answer; it keeps the run's id beside its button.
    run_id = uuid4()
    config = {"callbacks": [handler], "run_id": run_id}
    (chat | StrOutputParser()).invoke("Will it rain tomorrow?", config)

    # What the button calls.
    decisions = handler.feedback(run_id, "thumb", score=0.0)
    print(f"the run made {len(decisions)} decision(s)")
    again = chat.invoke("Will it rain tomorrow?")
    source = again.response_metadata["sls"]["source"]
    print(f"after a thumb down the answer is not served again: {source}")

    try:
        (chat | JsonOutputParser()).invoke("Name a colour as JSON", {"callbacks": [handler]})
    except OutputParserException:
        line = engine.parts.log.after(0, 10)[-1]
        print(f"an answer that no parser can read was graded by itself: {line.quality}")
