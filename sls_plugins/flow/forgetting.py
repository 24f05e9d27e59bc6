"""Forgets queries: in rows, in the index, in learnt state, in files."""

from __future__ import annotations

from sls_plugins.cache.keys import exact_key
from sls_plugins.errors import InputError
from sls_plugins.flow.parts import Parts
from sls_plugins.types import Erased, Selection

__all__ = ["forget"]


def forget(parts: Parts, wanted: Selection) -> Erased:
    """Erase what is meant, so that no byte of text or vector is left in any file of this engine.

    It takes as long as copying the database and the index. What other processes hold in memory is
    theirs until they end. Raises InputError if everything would be meant.
    """
    if wanted.is_empty:
        raise InputError("forget what? Name ids, a tenant, a scope, a text or an age")
    if parts.eraser is None:
        raise InputError("this engine's store cannot forget")

    def is_meant(text: str) -> bool:
        return wanted.key is None or exact_key(text) == wanted.key

    with parts.learner.turn:  # nobody learns from, or saves, what is being erased
        parts.learner.catch_up()
        erased = parts.eraser.erase(wanted, is_meant)
        parts.learner.forget(erased.vectors)
    if parts.cache is not None:
        parts.cache.forget(erased.entry_ids)
    if parts.forget_texts is not None:
        parts.forget_texts(erased.texts)
    parts.eraser.tidy()
    return erased
