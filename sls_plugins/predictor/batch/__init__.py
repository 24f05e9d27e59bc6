"""Predictors that are fitted to labels all at once, and serve one query at a time."""

from sls_plugins.predictor.batch.pooled import Pooled, PooledOptions
from sls_plugins.predictor.batch.rows import Expected, Labels, Rows, labels_of, rows_of
from sls_plugins.predictor.batch.serving import FittedPredictor
from sls_plugins.predictor.batch.stacked import Stacked

__all__ = [
    "Expected",
    "FittedPredictor",
    "Labels",
    "Pooled",
    "PooledOptions",
    "Rows",
    "Stacked",
    "labels_of",
    "rows_of",
]
