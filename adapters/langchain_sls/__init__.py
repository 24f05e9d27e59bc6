"""SLS for LangChain: a chat model, and a router of whole chains."""

from langchain_sls.chat import ChatSLS
from langchain_sls.router import SLSRouter

__all__ = ["ChatSLS", "SLSRouter"]
