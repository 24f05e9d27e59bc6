"""SLS for LlamaIndex: an LLM that chooses its LLM, a selector, a cache, a handler for feedback."""

from llama_index_sls.cached import CachedQueryEngine
from llama_index_sls.events import SLSDecisionEvent
from llama_index_sls.feedback import SLSFeedbackHandler
from llama_index_sls.judges import EvaluatorJudge
from llama_index_sls.router import SLSRouterLLM
from llama_index_sls.selector import SLSSelector

__all__ = [
    "CachedQueryEngine",
    "EvaluatorJudge",
    "SLSDecisionEvent",
    "SLSFeedbackHandler",
    "SLSRouterLLM",
    "SLSSelector",
]
