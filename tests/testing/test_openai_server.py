"""The OpenAI-compatible server, asked over plain HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from sls_plugins.testing.openai import Called, Fault, OpenAIServer, Reply
from sls_plugins.types import Usage


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A server that listens."""
    with OpenAIServer() as listening:
        yield listening


def ask(
    server: OpenAIServer, *, timeout_s: float = 5.0, **body: Any
) -> tuple[http.client.HTTPResponse, bytes]:
    """One request; the response with its whole body."""
    place = urlsplit(server.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=timeout_s)
    wanted = {"model": "small", "messages": [{"role": "user", "content": "one two"}], **body}
    connection.request("POST", f"{place.path}/chat/completions", json.dumps(wanted))
    try:
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def deltas(body: bytes) -> list[dict[str, Any]]:
    """The events of a stream but the last, [DONE]."""
    lines = [line.removeprefix("data: ") for line in body.decode().split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def test_it_says_what_was_scripted_then_what_obliges(server: OpenAIServer) -> None:
    """Scripted replies go first, one a request, each to its model."""
    server.script("small", Reply(text="Scripted."))
    server.script("other", Reply(text="Not for small."))

    said = [json.loads(ask(server)[1])["choices"][0]["message"]["content"] for _ in range(2)]

    assert said == ["Scripted.", "small heard: one two"]
    assert [each.said for each in server.asked("small")] == ["one two", "one two"]
    assert server.asked("other") == []


def test_usage_is_told_with_cached_and_reasoning_tokens(server: OpenAIServer) -> None:
    """Usage is what was scripted, whole or at a stream's end if the client asked for it."""
    used = Usage(input_tokens=9, output_tokens=5, cached_tokens=4, reasoning_tokens=3)
    server.script("small", *[Reply(usage=used)] * 3)

    told = [json.loads(ask(server)[1])["usage"]]
    told.append(
        deltas(ask(server, stream=True, stream_options={"include_usage": True})[1])[-1]["usage"]
    )
    unasked = deltas(ask(server, stream=True)[1])

    for usage in told:
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (9, 5)
        assert usage["prompt_tokens_details"]["cached_tokens"] == 4
        assert usage["completion_tokens_details"]["reasoning_tokens"] == 3
    assert all(each["usage"] is None for each in unasked)


@pytest.mark.parametrize("text", ["Fine.", " one  two\nthree ", "x"])
def test_a_stream_adds_up(server: OpenAIServer, text: str) -> None:
    """The words of a stream are the whole text, and its last choice tells why it ends."""
    server.script("small", Reply(text=text))

    choices = [each["choices"][0] for each in deltas(ask(server, stream=True)[1])]

    assert "".join(each["delta"].get("content", "") for each in choices) == text
    assert choices[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called(server: OpenAIServer, *, stream: bool) -> None:
    """A model that is given a tool calls it with arguments of its schema."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "look_up", "parameters": schema}}
    asked = [{"role": "user", "content": "How big is 'Rome'?"}]

    _, body = ask(server, tools=[tool], messages=asked, stream=stream)

    if stream:
        calls = [each["choices"][0]["delta"].get("tool_calls") for each in deltas(body)]
        (call,) = next(each for each in calls if each)
    else:
        (call,) = json.loads(body)["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"city": "Rome"}


def test_json_is_said_when_it_is_asked_for(server: OpenAIServer) -> None:
    """JSON mode brings an object, a schema brings an object of it."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}

    said = [
        json.loads(ask(server, response_format=format_)[1])["choices"][0]["message"]["content"]
        for format_ in ({"type": "json_object"}, wanted)
    ]

    assert isinstance(json.loads(said[0]), dict)
    assert json.loads(said[1]) == {"n": 3}


def test_faults_before_an_answer(server: OpenAIServer) -> None:
    """A status tells of overload, with the time to come back, and of errors."""
    server.script(
        "small", Reply(fault=Fault.RATE_LIMITED, retry_after_s=2), Reply(fault=Fault.SERVER_ERROR)
    )

    limited, body = ask(server)
    broken, _ = ask(server, stream=True)

    assert (limited.status, limited.headers["Retry-After"]) == (429, "2")
    assert json.loads(body)["error"]["type"] == "rate_limited"
    assert broken.status == 500


@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize("fault", [Fault.HANG, Fault.CUT])
def test_streams_break_where_they_should(server: OpenAIServer, fault: Fault, after: int) -> None:
    """A stream that hangs or is cut keeps a client from reading it to its end."""
    server.script("small", Reply(text="one two three", fault=fault, after=after))

    with pytest.raises((TimeoutError, http.client.HTTPException, ConnectionError)):
        ask(server, stream=True, timeout_s=0.3)


@pytest.mark.parametrize(
    ("fault", "last"),
    [
        (Fault.QUIET_END, '{"content": " two"}'),
        (Fault.WRONG_SHAPE, '{"object": "something else"}'),
        (Fault.WRONG_JSON, '{"id": "chatcmpl-'),
        (Fault.SERVER_ERROR, '"code": "server_error"'),
    ],
)
def test_streams_go_wrong_where_they_should(server: OpenAIServer, fault: Fault, last: str) -> None:
    """What comes after the told number of words is the fault, and nothing after it."""
    server.script("small", Reply(text="one two three", fault=fault, after=2))

    _, body = ask(server, stream=True)

    events = body.decode().rstrip("\n").split("\n\n")
    assert last in events[-1]
    assert "three" not in body.decode()


def test_a_hanging_request_is_let_go_when_the_server_closes() -> None:
    """Closing the server ends what hangs in it."""
    server = OpenAIServer()
    server.script("small", Reply(fault=Fault.HANG))
    place = urlsplit(server.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=5)
    connection.request("POST", f"{place.path}/chat/completions", json.dumps({"model": "small"}))

    server.close()

    with pytest.raises((http.client.HTTPException, ConnectionError)):
        connection.getresponse()
    connection.close()


def test_calls_can_be_scripted(server: OpenAIServer) -> None:
    """A reply may ask for tools by itself."""
    server.script("small", Reply(text="", calls=(Called("look_up", {"city": "Ulm"}),)))

    choice = json.loads(ask(server)[1])["choices"][0]

    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "look_up"
