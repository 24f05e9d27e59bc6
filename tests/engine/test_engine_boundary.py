"""The border to the host's models."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from sls_plugins.engine.boundary import provider
from sls_plugins.errors import ProviderError


def test_an_open_stream_is_let_go_of_when_its_reader_fails() -> None:
    """What a failed call holds is closed at once, not whenever garbage is collected."""
    closed = []

    def stream() -> Iterator[int]:
        try:
            yield 1
        finally:
            closed.append("stream")

    def read() -> None:
        opened = stream()
        for number in opened:
            raise KeyError(number)

    gc.disable()
    try:
        with pytest.raises(ProviderError) as told, provider("small"):
            read()
        assert closed == ["stream"]
    finally:
        gc.enable()
    assert isinstance(told.value.__cause__, KeyError)
