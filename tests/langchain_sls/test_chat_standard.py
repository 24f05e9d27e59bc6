"""LangChain's own suites for chat models, run on ChatSLS."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_sls import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Engine


class _Standard:
    """What both suites are told of ChatSLS."""

    engine: Engine

    @pytest.fixture(autouse=True)
    def _take_engine(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatSLS

    @property
    def chat_model_params(self) -> dict[str, Any]:
        models = {
            name: ScriptedChatModel(model_name=name, reply=_reply, arguments=None)
            for name in ("small", "large")
        }
        return {"engine": self.engine, "models": models}

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        """Time-outs, retries and keys belong to the models behind ChatSLS."""
        return {"temperature": 0, "max_tokens": 100, "stop": []}


def _reply(messages: list[BaseMessage]) -> str:
    return f"You said: {messages[-1].text}. I have heard you."


class TestChatUnit(_Standard, ChatModelUnitTests):
    """LangChain's unit suite."""


class TestChatIntegration(_Standard, ChatModelIntegrationTests):
    """LangChain's integration suite; its tests with pictures and sounds need the network."""

    @property
    def supports_model_override(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "large"
