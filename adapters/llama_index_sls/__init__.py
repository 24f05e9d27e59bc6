"""SLS for LlamaIndex: an LLM that chooses its LLM, a selector, a handler for feedback."""

from llama_index_sls.router import SLSRouterLLM

__all__ = ["SLSRouterLLM"]
