"""LangChain's own suites for chat models, run on ChatSLS over two kinds of models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_sls import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Engine
from sls_plugins.testing.openai import OpenAIServer


def inapplicable(reason: str) -> pytest.MarkDecorator:
    """Marks a test of the suites that cannot say anything of ChatSLS, or not here."""
    return pytest.mark.xfail(reason=reason, run=False)


class _Standard:
    """What all suites are told of ChatSLS."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatSLS

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        """Time-outs, retries and keys belong to the models behind ChatSLS."""
        return {"temperature": 0, "max_tokens": 100, "stop": []}


class _Scripted(_Standard):
    """Over our own fake, a real subclass that calls tools."""

    engine: Engine

    @pytest.fixture(autouse=True)
    def _take_engine(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def chat_model_params(self) -> dict[str, Any]:
        models = {
            name: ScriptedChatModel(model_name=name, reply=_reply) for name in ("small", "large")
        }
        return {"engine": self.engine, "models": models}


class _OverHTTP(_Standard):
    """Over langchain-openai's real ChatOpenAI, which talks to a local server."""

    engine: Engine
    server: OpenAIServer
    clients: tuple[httpx.Client, httpx.AsyncClient]

    @pytest.fixture(autouse=True)
    async def _take_engine(self, engine: Engine, server: OpenAIServer) -> AsyncIterator[None]:
        self.engine, self.server = engine, server
        self.clients = httpx.Client(), httpx.AsyncClient()
        yield
        self.clients[0].close()
        await self.clients[1].aclose()

    @property
    def chat_model_params(self) -> dict[str, Any]:
        models = {
            name: ChatOpenAI(
                model=name,
                base_url=self.server.url,
                api_key="none",
                max_retries=0,
                stream_usage=True,
                http_client=self.clients[0],
                http_async_client=self.clients[1],
            )
            for name in ("small", "large")
        }
        return {"engine": self.engine, "models": models}


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    """The local server."""
    with OpenAIServer() as listening:
        yield listening


def _reply(messages: list[BaseMessage]) -> str:
    return f"You said: {messages[-1].text}. I have heard you."


class _UnitMarks:
    """Unit tests that cannot apply."""

    @inapplicable("keys and environment belong to the models behind ChatSLS")
    def test_init_from_env(self) -> None:
        """Cannot apply here."""

    @inapplicable("LangChain loads no classes but its own unasked; see test_chat_host.py for ours")
    def test_serdes(self) -> None:
        """Cannot apply here."""


class _IntegrationMarks:
    """Integration tests that cannot apply."""

    @inapplicable("fetches a PDF from the network")
    def test_pdf_inputs(self) -> None:
        """Cannot apply here."""

    @inapplicable("fetches a sound from the network")
    def test_audio_inputs(self) -> None:
        """Cannot apply here."""

    @inapplicable("fetches a picture from the network; tests/hosts has pictures")
    def test_image_inputs(self) -> None:
        """Cannot apply here."""

    @inapplicable("fetches a picture from the network")
    def test_image_tool_message(self) -> None:
        """Cannot apply here."""

    @inapplicable("fetches a PDF from the network")
    def test_pdf_tool_message(self) -> None:
        """Cannot apply here."""

    @inapplicable("Anthropic's own blocks; the models here are OpenAI's and a fake")
    def test_anthropic_inputs(self) -> None:
        """Cannot apply here."""

    @inapplicable("replays a cassette; time is measured by sls bench")
    def test_stream_time(self) -> None:
        """Cannot apply here."""


class TestScriptedUnit(_Scripted, _UnitMarks, ChatModelUnitTests):
    """LangChain's unit suite over our fake."""


class TestOverHTTPUnit(_OverHTTP, _UnitMarks, ChatModelUnitTests):
    """LangChain's unit suite over real ChatOpenAI."""


class TestScriptedIntegration(_Scripted, _IntegrationMarks, ChatModelIntegrationTests):
    """LangChain's integration suite over our fake."""

    @property
    def supports_model_override(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "large"

    @inapplicable("our fake has no JSON mode")
    def test_json_mode(self) -> None:
        """Cannot apply here."""


class TestOverHTTPIntegration(_OverHTTP, _IntegrationMarks, ChatModelIntegrationTests):
    """LangChain's integration suite over real ChatOpenAI."""

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_model_override(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "large"

    @property
    def supported_usage_metadata_details(self) -> dict[str, list[str]]:
        return {"invoke": [], "stream": []}
