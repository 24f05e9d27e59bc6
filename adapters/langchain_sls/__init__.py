"""SLS for LangChain: a chat model, a router of whole chains, a cache, a handler for feedback."""

from langchain_sls.cache import SLSCache
from langchain_sls.chat import ChatSLS
from langchain_sls.feedback import SLSFeedbackHandler
from langchain_sls.router import SLSRouter

__all__ = ["ChatSLS", "SLSCache", "SLSFeedbackHandler", "SLSRouter"]
