"""Simulated chat models that give the answers which real ones once gave."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult

from langchain_sls.demo.simulated import SimulatedTime
from sls_plugins.evaluation.charges import CountTokens, charge
from sls_plugins.evaluation.traces import RoutingRow
from sls_plugins.types import Candidate

__all__ = ["Cursor", "RecordedChatModel"]


class Cursor:
    """Says which row of the trace is being asked; all recorded models share one."""

    def __init__(self) -> None:
        """Begin before the first row."""
        self.row: RoutingRow | None = None


class RecordedChatModel(BaseChatModel):
    """Gives its own recorded answer to the row at the cursor, and tells what it had cost."""

    candidate: Candidate
    cursor: Any
    count_tokens: CountTokens
    clock: SimulatedTime

    @property
    def _llm_type(self) -> str:
        return "sls-recorded"

    @property
    def model_name(self) -> str:
        """The recorded model's name."""
        return self.candidate.name

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - LangChain's
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's
        **kwargs: Any,  # noqa: ARG002 - LangChain's
    ) -> ChatResult:
        row: RoutingRow | None = self.cursor.row
        if row is None or row.prompt != str(messages[-1].text):
            raise LookupError("this is not the prompt at the cursor")
        outcome = row.outcomes[self.candidate.name]
        bill = charge(outcome, self.candidate, row.prompt, self.count_tokens)
        heard, said = bill.usage.input_tokens, bill.usage.output_tokens
        self.clock.pass_by(outcome.latency_s or 1.0)
        text = outcome.response
        if text is None:
            text = f"answer of {self.candidate.name} to {row.query_id}"
        message = AIMessage(
            content=text,
            usage_metadata=UsageMetadata(
                input_tokens=heard, output_tokens=said, total_tokens=heard + said
            ),
            response_metadata={
                "model_name": self.candidate.name,
                "finish_reason": "stop",
                "token_usage": {"cost": bill.cost_usd},
            },
        )
        return ChatResult(generations=[ChatGeneration(message=message)])
