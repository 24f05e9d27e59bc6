"""What several LLMs can do together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llama_index.core.base.llms.types import LLMMetadata, MessageRole
from llama_index.core.llms import LLM

from sls_plugins.types import Candidate, Query

__all__ = ["metadata_of", "too_small"]


def metadata_of(candidates: Sequence[Candidate], llms: Mapping[str, LLM]) -> LLMMetadata:
    """The largest window, and every capability that at least one candidate offers.

    A window that a candidate declares counts more than what LlamaIndex says of its LLM. Functions
    are called only by a candidate with the capability "tools" whose LLM takes them.
    """
    known = [(each, llms[each.name].metadata) for each in candidates if each.name in llms]
    roles = {told.system_role for _, told in known}
    return LLMMetadata(
        context_window=max(each.context_window or told.context_window for each, told in known),
        num_output=max(told.num_output for _, told in known),
        is_chat_model=any(told.is_chat_model for _, told in known),
        is_function_calling_model=any(
            told.is_function_calling_model and "tools" in each.capabilities for each, told in known
        ),
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
