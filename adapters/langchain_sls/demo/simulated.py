"""Simulated chat models of different price and skill: real LangChain, nobody behind them.

Each reads the problem in the prompt and works out its answer. Whether it then makes a mistake is
drawn from its skill, the prompt and the seed, so that a run can be repeated.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import OutputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_sls.demo.solver import Solution, solve
from sls_plugins.types import Candidate

__all__ = ["PROFILES", "Profile", "SimulatedChatModel", "SimulatedTime", "candidates"]

_WORKING = (
    "Let me look at what is asked here.",
    "I go through it step by step and check every part.",
)


class SimulatedTime:
    """A clock that simulated models move: their answers take time, the demo does not."""

    def __init__(self, start_s: float = 1_700_000_000.0) -> None:
        """Begin at `start_s` seconds since the epoch."""
        self._now_s = start_s

    def __call__(self) -> float:
        """Now, in seconds since the epoch."""
        return self._now_s

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self._now_s += seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a simulated model is like.

    `skill` is the probability of a right answer by family, for the easiest and the hardest problem.
    `lines` of working, shown for sums, and `thoughts` (hidden reasoning tokens) make answers long.
    """

    name: str
    input_usd_per_mtok: float
    output_usd_per_mtok: float
    skill: Mapping[str, tuple[float, float]]
    lines: int
    thoughts: int
    tokens_per_s: float


PROFILES = (
    Profile(
        name="simulated-nano",
        input_usd_per_mtok=0.05,
        output_usd_per_mtok=0.2,
        skill={
            "arithmetic": (0.9, 0.2),
            "logs": (0.95, 0.7),
            "text": (0.97, 0.45),
            "units": (0.9, 0.35),
        },
        lines=0,
        thoughts=0,
        tokens_per_s=300.0,
    ),
    Profile(
        name="simulated-small",
        input_usd_per_mtok=0.25,
        output_usd_per_mtok=1.0,
        skill={
            "arithmetic": (0.96, 0.5),
            "logs": (0.97, 0.93),
            "text": (0.98, 0.7),
            "units": (0.97, 0.8),
        },
        lines=1,
        thoughts=0,
        tokens_per_s=160.0,
    ),
    Profile(
        name="simulated-large",
        input_usd_per_mtok=2.5,
        output_usd_per_mtok=10.0,
        skill={
            "arithmetic": (0.99, 0.8),
            "logs": (0.98, 0.96),
            "text": (0.99, 0.93),
            "units": (0.99, 0.95),
        },
        lines=2,
        thoughts=25,
        tokens_per_s=80.0,
    ),
    Profile(
        name="simulated-thinker",
        input_usd_per_mtok=5.0,
        output_usd_per_mtok=25.0,
        skill={
            "arithmetic": (0.995, 0.97),
            "logs": (0.98, 0.96),
            "text": (0.99, 0.97),
            "units": (0.99, 0.97),
        },
        lines=2,
        thoughts=220,
        tokens_per_s=60.0,
    ),
)
"""The demo's four models, the cheapest first."""


def candidates() -> tuple[Candidate, ...]:
    """The simulated models as candidates, with their list prices."""
    return tuple(
        Candidate(
            name=profile.name,
            provider="simulated",
            input_usd_per_mtok=profile.input_usd_per_mtok,
            output_usd_per_mtok=profile.output_usd_per_mtok,
            context_window=32_000,
        )
        for profile in PROFILES
    )


class SimulatedChatModel(BaseChatModel):
    """Solves the demo's problems as well as its profile says."""

    character: Profile
    seed: int = 0
    clock: SimulatedTime | None = None

    @property
    def _llm_type(self) -> str:
        return "sls-simulated"

    @property
    def model_name(self) -> str:
        """The profile's name."""
        return self.character.name

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - LangChain's
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's
        **kwargs: Any,  # noqa: ARG002 - LangChain's
    ) -> ChatResult:
        text, usage = self._said(messages)
        message = AIMessage(
            content=text,
            usage_metadata=usage,
            response_metadata={"model_name": self.model_name, "finish_reason": "stop"},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - LangChain's
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's
        **kwargs: Any,  # noqa: ARG002 - LangChain's
    ) -> Iterator[ChatGenerationChunk]:
        text, usage = self._said(messages)
        for place, word in enumerate(text.split(" ")):
            said = f" {word}" if place else word
            yield ChatGenerationChunk(message=AIMessageChunk(content=said))
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                usage_metadata=usage,
                response_metadata={"model_name": self.model_name, "finish_reason": "stop"},
                chunk_position="last",
            )
        )

    def _said(self, messages: list[BaseMessage]) -> tuple[str, UsageMetadata]:
        """Text and usage; time passes."""
        prompt = str(messages[-1].text)
        text = self._answer(prompt)
        heard = sum(_tokens(str(message.text)) for message in messages)
        thoughts = self._thoughts(prompt)
        said = _tokens(text) + thoughts
        if self.clock is not None:
            self.clock.pass_by(0.2 + said / self.character.tokens_per_s)
        usage = UsageMetadata(
            input_tokens=heard,
            output_tokens=said,
            total_tokens=heard + said,
            output_token_details=OutputTokenDetails(reasoning=thoughts),
        )
        return text, usage

    def _answer(self, prompt: str) -> str:
        """Lines of working, then the answer on a line of its own."""
        solution = solve(prompt)
        if solution is None:
            return "I cannot tell."
        easy, hard = self.character.skill[solution.family]
        p_right = easy + (hard - easy) * solution.difficulty
        is_right = self._draw(prompt, "right") < p_right
        last = solution.answer if is_right else _mistaken(solution, self._draw(prompt, "mistake"))
        lines = self.character.lines if solution.family == "arithmetic" else 0
        return "\n".join([*_WORKING[:lines], last])

    def _thoughts(self, prompt: str) -> int:
        """Hidden reasoning tokens: more for some prompts than for others."""
        return round(self.character.thoughts * (0.5 + self._draw(prompt, "thoughts")))

    def _draw(self, prompt: str, what: str) -> float:
        """A number in 0…1 that is the same for the same model, seed and prompt."""
        key = f"{self.seed}\x1f{self.model_name}\x1f{what}\x1f{prompt}".encode()
        digest = hashlib.blake2b(key, digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64


def _tokens(text: str) -> int:
    """Roughly as many as a tokenizer makes of English."""
    return max(1, math.ceil(len(text) / 4))


def _mistaken(solution: Solution, draw: float) -> str:
    """A wrong answer of the kind that models give."""
    answer = solution.answer
    if solution.family in {"arithmetic", "units"}:
        return str(int(answer) + (1 + int(draw * 9)) * 10 ** int(draw * len(answer)))
    if solution.family == "logs":
        return answer.replace("<*>", "{value}", 1) if draw < 0.5 else answer.rsplit(" ", 1)[0]
    at = int(draw * (len(answer) - 1)) if len(answer) > 1 else 0
    return answer[:at] + answer[at + 1 :] + "?"
