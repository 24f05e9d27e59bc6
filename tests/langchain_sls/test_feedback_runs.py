"""Feedback by run id: for long, after a restart, from other processes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig, RunnableLambda, RunnableParallel

from langchain_sls import ChatSLS, SLSFeedbackHandler
from sls_plugins import Engine

PROMPT = ChatPromptTemplate.from_messages([("human", "{question}")])
ASKED = {"question": "What is a heap?"}


def test_old_runs_are_known_by_their_last_decision(chat: ChatSLS, engine: Engine) -> None:
    """Memory keeps the newest runs with all their decisions; of older ones the last is found."""
    handler = SLSFeedbackHandler(engine, capacity=3)
    pairs = RunnableParallel(a=chat, b=RunnableLambda(lambda given: f"{given}, too") | chat)
    run_ids = [uuid.uuid4() for _ in range(3)]
    for place, run_id in enumerate(run_ids):
        pairs.invoke(f"question {place}", {"callbacks": [handler], "run_id": run_id})

    assert len(handler.feedback(run_ids[-1], score=1.0)) == 2
    assert len(handler.feedback(run_ids[0], score=1.0)) == 1


async def test_run_ids_are_known_after_a_restart_and_to_others(
    chat_in: Callable[[Engine], ChatSLS], make_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    """A run's grade reaches its decision through another engine on the same database."""
    run_id, first = uuid.uuid4(), make_engine(folder=tmp_path)
    config: RunnableConfig = {"callbacks": [SLSFeedbackHandler(first)], "run_id": run_id}
    message = (PROMPT | chat_in(first)).invoke(ASKED, config)
    decision_id = message.response_metadata["sls"]["decision_id"]
    other = make_engine(folder=tmp_path)
    handler = SLSFeedbackHandler(other)
    assert await handler.afeedback(run_id, score=0.25) == (decision_id,)
    first.close()
    other.close()

    restarted = make_engine(folder=tmp_path)
    assert SLSFeedbackHandler(restarted).feedback(str(run_id), score=0.75) == (decision_id,)
    restarted.feedback(str(run_id), 1.0, source="langsmith")
    lines = [line for line in restarted.parts.log.after(0, 100) if line.quality is not None]
    assert [(line.quality, line.quality_source) for line in lines] == [
        (0.25, "user_score"),
        (0.75, "user_score"),
        (1.0, "langsmith"),
    ]
