"""Every named predictor keeps the contract."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sls_plugins.plugins import Plugins
from sls_plugins.protocols import Context, Predictor
from sls_plugins.testing.contracts.predictor import CANDIDATES, DIMENSION, PredictorContract

NAMED = {
    "stacked": ("stacked", {}),
    "pooled": ("transfer", {}),
    "cpls": ("transfer", {"method": "cpls"}),
    "cpls as published": ("transfer", {"method": "cpls", "scaling": "row"}),
    "forest": ("forest", {"resamples": 3, "trees": 5}),
    "joint": ("joint", {"trees": 30}),
}
CONTEXT = Context(candidates=CANDIDATES, dimension=DIMENSION, clock=time.time)


class TestNamed(PredictorContract):
    """The suite, once for each."""

    @pytest.fixture(params=NAMED)
    def make_predictor(self, request) -> Callable[[], Predictor]:
        """A new one of this name."""
        name, options = NAMED[request.param]
        return lambda: Plugins.load(names=()).make("predictor", name, CONTEXT, options)
