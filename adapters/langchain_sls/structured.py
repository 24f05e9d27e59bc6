"""Structured output: how an answer's form is asked for, and whether an answer has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Literal

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import BaseMessage
from langchain_core.output_parsers import (
    BaseOutputParser,
    JsonOutputParser,
    PydanticOutputParser,
)
from langchain_core.output_parsers.openai_tools import (
    JsonOutputKeyToolsParser,
    PydanticToolsParser,
)
from langchain_core.outputs import ChatGeneration
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough, RunnableSequence
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from sls_plugins.errors import InputError

__all__ = ["FORMAT", "STRUCTURED", "Method", "Structured", "parsed", "trace_format"]

STRUCTURED = "sls_structured"
"""The setting of a call that carries the wanted form."""

FORMAT = "ls_structured_output_format"
"""The setting by which LangChain tells its traces of the wanted form."""

Method = Literal["function_calling", "json_mode", "json_schema"]


@dataclass(frozen=True, slots=True)
class Structured:
    """The form that an answer must have: a schema, and the method by which it is asked for."""

    schema: Any
    method: Method
    strict: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be asked for."""
        if self.method not in {"function_calling", "json_mode", "json_schema"}:
            raise InputError(
                f"method {self.method!r} is unknown: with_structured_output knows "
                "function_calling, json_mode and json_schema"
            )
        if self.schema is None and self.method != "json_mode":
            raise InputError(f"with_structured_output(method={self.method!r}) needs a schema")

    @property
    def plain(self) -> dict[str, Any]:
        """The form in plain values, for scopes and traces."""
        schema = convert_to_json_schema(self.schema) if self.schema is not None else None
        return {"method": self.method, "schema": schema, "strict": self.strict}

    @property
    def needs(self) -> str:
        """What a candidate must be capable of."""
        return "tools" if self.method == "function_calling" else "json"

    def parser(self) -> BaseOutputParser[Any]:
        """What reads an answer of this form."""
        is_model = isinstance(self.schema, type) and is_basemodel_subclass(self.schema)
        if self.method != "function_calling":
            return (
                PydanticOutputParser(pydantic_object=self.schema)
                if is_model
                else (JsonOutputParser())
            )
        if is_model:
            return PydanticToolsParser(tools=[self.schema], first_tool_only=True)
        name = convert_to_openai_tool(self.schema)["function"]["name"]
        return JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)

    def problem(self, message: BaseMessage) -> str | None:
        """Why this answer cannot be read, or None if it can."""
        try:
            read = self.parser().parse_result([ChatGeneration(message=message)])
        except (OutputParserException, ValueError) as error:
            return str(error)
        return "the answer does not call the schema's function" if read is None else None

    def bound_on(self, model: BaseChatModel) -> Runnable[Any, Any]:
        """The model with this form bound as its own provider has it: a model, or a binding of it.

        Raises TypeError for a model whose `with_structured_output` is no sequence.
        """
        options = {} if self.strict is None else {"strict": self.strict}
        asked = model.with_structured_output(self.schema, method=self.method, **options)
        if not isinstance(asked, RunnableSequence):
            raise TypeError(f"with_structured_output of a {type(model).__name__} is no sequence")
        return asked.first


def parsed(
    llm: Runnable[LanguageModelInput, Any], form: Structured, *, include_raw: bool
) -> Runnable[LanguageModelInput, Any]:
    """The model with a parser behind it, as LangChain's own models are given one.

    With `include_raw` the output is a mapping of `raw`, `parsed` and `parsing_error`.
    """
    parser = form.parser()
    if not include_raw:
        return llm | parser
    read = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    unread = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=llm) | read.with_fallbacks([unread], exception_key="parsing_error")


def trace_format(form: Structured) -> Mapping[str, Any]:
    """What LangChain's traces are told of the form."""
    return {"kwargs": {"method": form.method, "strict": form.strict}, "schema": form.schema}
