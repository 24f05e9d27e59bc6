"""What several LLMs can do together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llama_index.core.base.llms.types import LLMMetadata, MessageRole
from llama_index.core.llms import LLM

from sls_plugins.types import Candidate, Query

__all__ = ["metadata_of", "too_small"]


def metadata_of(llms: Sequence[LLM]) -> LLMMetadata:
    """The largest window, and every capability that at least one of them offers."""
    told = [llm.metadata for llm in llms]
    roles = {each.system_role for each in told}
    return LLMMetadata(
        context_window=max(each.context_window for each in told),
        num_output=max(each.num_output for each in told),
        is_chat_model=any(each.is_chat_model for each in told),
        is_function_calling_model=any(each.is_function_calling_model for each in told),
        model_name="sls",
        system_role=roles.pop() if len(roles) == 1 else MessageRole.SYSTEM,
    )


def too_small(
    query: Query, candidates: Sequence[Candidate], llms: Mapping[str, LLM]
) -> frozenset[str]:
    """LLMs whose own window is too small for the query, where the candidate does not tell one.

    LlamaIndex fills prompts up to the largest window, so that the others must be kept out. If none
    were left, all may try: a window that nobody set is LlamaIndex's default, and may be wrong.
    """
    need = query.input_tokens or 0
    small = frozenset(
        candidate.name
        for candidate in candidates
        if candidate.context_window is None
        and candidate.name in llms
        and llms[candidate.name].metadata.context_window < need
    )
    return small if len(small) < len(llms) else frozenset()
