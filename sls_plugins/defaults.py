"""The built-in parts, declared as any plugin declares its own."""

from __future__ import annotations

from sls_plugins.hookspecs import Parts, hookimpl

__all__ = [
    "sls_encoders",
    "sls_guards",
    "sls_indexes",
    "sls_judges",
    "sls_predictors",
    "sls_same_answers",
    "sls_schedulers",
    "sls_stores",
]


@hookimpl
def sls_encoders() -> Parts:
    """What turns text into vectors."""
    return {
        "hashing": "sls_plugins.encoder.hashing:make",
        "minilm": "sls_plugins.encoder.minilm:make",
        "sentence-transformers": "sls_plugins.encoder.sentence_transformers:make",
    }


@hookimpl
def sls_stores() -> Parts:
    """What keeps rows, by the URL's scheme."""
    return {"sqlite": "sls_plugins.storage:make", "postgresql": "sls_plugins.storage:make"}


@hookimpl
def sls_indexes() -> Parts:
    """What finds the nearest vectors."""
    return {"memory": "sls_plugins.cache.factory:make_memory_index", "chroma": "sls_chroma:make"}


@hookimpl
def sls_predictors() -> Parts:
    """What expects quality, cost and latency."""
    return {
        "forest": "sls_plugins.predictor.batch.forest:make",
        "joint": "sls_plugins.predictor.batch.joint:make",
        "online": "sls_plugins.predictor.online:make",
        "stacked": "sls_plugins.predictor.batch.factories:make_stacked",
        "transfer": "sls_plugins.predictor.batch.factories:make_transfer",
    }


@hookimpl
def sls_schedulers() -> Parts:
    """What chooses a candidate."""
    return {"lagrange": "sls_plugins.scheduler.lagrange:make"}


@hookimpl
def sls_judges() -> Parts:
    """What grades answers."""
    return {
        "compiles": "sls_plugins.judges.code:make",
        "exact": "sls_plugins.judges.text:make_exact",
        "function": "sls_plugins.judges.function:make",
        "json-schema": "sls_plugins.judges.schema:make",
        "model": "sls_plugins.judges.model:make",
        "numeric": "sls_plugins.judges.numeric:make",
        "regex": "sls_plugins.judges.text:make_pattern",
    }


@hookimpl
def sls_guards() -> Parts:
    """What vetoes a neighbour in the cache."""
    names = (
        "numbers_differ",
        "quotes_differ",
        "identifiers_differ",
        "names_differ",
        "languages_differ",
        "negation_differs",
        "opposites_meet",
        "question_differs",
        "order_differs",
    )
    return {name: f"sls_plugins.cache.factory:{name}" for name in names}


@hookimpl
def sls_same_answers() -> Parts:
    """What compares answers."""
    return {
        "embedding": "sls_plugins.cache.sameness:make_embedding",
        "text": "sls_plugins.cache.sameness:make_text",
        "words": "sls_plugins.cache.sameness:make_words",
    }
