"""`sls cache-replay`: options."""

from __future__ import annotations

from sls_plugins.cli.arguments import CacheReplayArguments
from sls_plugins.cli.lazy import work
from sls_plugins.cli.options import (
    Decisions,
    Embeddings,
    Encoder,
    Json,
    Limit,
    MaxError,
    Seed,
    Trace,
)

__all__ = ["cache_replay"]


def cache_replay(
    *,
    trace: Trace,
    max_error: MaxError = 0.02,
    encoder: Encoder = "minilm",
    embeddings: Embeddings,
    seed: Seed = 0,
    limit: Limit = None,
    decisions: Decisions = None,
    json: Json = None,
) -> None:
    """Run the semantic cache alone on a TRACE of (text, group).

    On a miss the groups tell whether the nearest entry would have been right; hits reveal nothing.
    """
    work("cache_replay").run(
        CacheReplayArguments(
            trace=trace,
            max_error=max_error,
            encoder=encoder,
            embeddings=embeddings,
            seed=seed,
            limit=limit,
            decisions=decisions,
            json=json,
        )
    )
