"""Tells calls for an object of a class from calls with tools that do something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.prompts import PromptTemplate
from llama_index_instrumentation.dispatcher import DISPATCHER_SPAN_DECORATED_ATTR

__all__ = ["FORM", "FormLLM"]

FORM = "sls_form"
"""The keyword that marks a call whose tools are but the form of its answer."""

MethodT = TypeVar("MethodT", bound=Callable[..., Any])


def _spanned(method: MethodT) -> MethodT:
    """The method as it is: LlamaIndex's own, which it calls, has the span."""
    setattr(method, DISPATCHER_SPAN_DECORATED_ATTR, True)
    return method


class FormLLM(FunctionCallingLLM):
    """Marks what is asked by `structured_predict` and its kin, also by `as_structured_llm`."""

    @_spanned
    def structured_predict(
        self,
        output_cls: type[Any],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Any:
        """An object of the class."""
        return super().structured_predict(output_cls, prompt, _marked(llm_kwargs), **prompt_args)

    @_spanned
    async def astructured_predict(
        self,
        output_cls: type[Any],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Any:
        """`structured_predict` without blocking."""
        marked = _marked(llm_kwargs)
        return await super().astructured_predict(output_cls, prompt, marked, **prompt_args)

    @_spanned
    def stream_structured_predict(
        self,
        output_cls: type[Any],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Any:
        """The object as it grows."""
        marked = _marked(llm_kwargs)
        return super().stream_structured_predict(output_cls, prompt, marked, **prompt_args)

    @_spanned
    async def astream_structured_predict(
        self,
        output_cls: type[Any],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Any:
        """`stream_structured_predict` without blocking."""
        marked = _marked(llm_kwargs)
        return await super().astream_structured_predict(output_cls, prompt, marked, **prompt_args)


def _marked(llm_kwargs: dict[str, Any] | None) -> dict[str, Any]:
    return {**(llm_kwargs or {}), FORM: True}
