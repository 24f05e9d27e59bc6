"""Figures about SLS in LlamaIndex, printed by ``python -m llama_index_sls.studies.NAME``."""
