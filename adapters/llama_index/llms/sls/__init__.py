"""SLS's LLM, where LlamaIndex's users look for LLMs."""

from llama_index_sls import SLSRouterLLM as SLSRouterLLM
