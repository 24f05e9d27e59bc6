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


def test_what_was_handled_before_the_call_is_left_alone() -> None:
    """A program that asks for help while it handles an error keeps what it was doing."""
    kept = []

    def careful() -> Iterator[int]:
        try:
            {}[0]
        except KeyError as error:
            kept.append(error)
            yield 1
            yield 2

    def call() -> None:
        raise ValueError("busy") from None

    work = careful()
    assert next(work) == 1
    try:
        raise kept[0]
    except KeyError:
        with pytest.raises(ProviderError), provider("small"):
            call()
    assert next(work) == 2


def test_an_error_that_names_itself_as_its_cause_is_translated() -> None:
    """`raise error from error` is odd, and no reason to hang."""
    with pytest.raises(ProviderError, match="busy"), provider("small"):
        error = ValueError("busy")
        raise error from error
