"""Makes batch predictors by name; a library is imported with the module that needs it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sls_plugins.predictor.batch.pooled import Pooled
from sls_plugins.predictor.batch.serving import FittedPredictor, Learner
from sls_plugins.predictor.batch.stacked import Stacked
from sls_plugins.protocols import Context

__all__ = ["TransferOptions", "make_stacked", "make_transfer"]


class NoOptions(BaseModel):
    """There are none."""

    model_config = ConfigDict(extra="forbid")


class TransferOptions(BaseModel):
    """`method`: "pooled" (ours) or "cpls" (as published); `scaling` is CPLS's, mended or not."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["pooled", "cpls"] = "pooled"
    scaling: Literal["feature", "row"] = "feature"


def make_stacked(context: Context, options: Mapping[str, object]) -> FittedPredictor:
    """The factory of `stacked`, which has no options."""
    NoOptions.model_validate(options)
    return _serving(context, lambda: Stacked(context.seed))


def make_transfer(context: Context, options: Mapping[str, object]) -> FittedPredictor:
    """The factory of `transfer`; options are those of `TransferOptions`."""
    chosen = TransferOptions.model_validate(options)
    if chosen.method == "pooled":
        return _serving(context, lambda: Pooled(seed=context.seed))
    cpls = importlib.import_module("sls_plugins.predictor.batch.cpls")
    settings = cpls.CPLSOptions(scaling=chosen.scaling)
    return _serving(context, lambda: cpls.CPLS(settings, context.seed))


def _serving(context: Context, make: Callable[[], Learner]) -> FittedPredictor:
    return FittedPredictor(make, context.dimension, context.candidates)
