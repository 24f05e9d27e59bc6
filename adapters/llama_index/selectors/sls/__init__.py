"""SLS's selector, where LlamaIndex's users look for selectors."""

from llama_index_sls import SLSSelector as SLSSelector
