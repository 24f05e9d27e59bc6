"""Brings Chroma into SLS as its durable semantic index."""

from sls_chroma.index import ChromaIndex, make

__all__ = ["ChromaIndex", "make"]
