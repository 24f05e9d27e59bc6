"""HTTP below the server: one thread for each connection, every fault made with real bytes."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sls_plugins.testing.openai.replies import Fault, Heard, Reply
from sls_plugins.testing.openai.wire import completion, event, events, failure

__all__ = ["Listener"]

_STATUS = {Fault.RATE_LIMITED: 429, Fault.SERVER_ERROR: 500}


class Listener(ThreadingHTTPServer):
    """Accepts connections on a free port of 127.0.0.1; `answer` says what to reply to a request."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, answer: Callable[[Heard], tuple[Reply, int]]) -> None:
        """`answer` is called in many threads."""
        super().__init__(("127.0.0.1", 0), _Connection)
        self.answer = answer
        self.closing = threading.Event()

    def stop(self) -> None:
        """Stop listening and let hanging connections go."""
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what tests are about: nothing is printed."""


class _Gone(ConnectionError):
    """This connection is to be broken."""


class _Connection(BaseHTTPRequestHandler):
    """One connection."""

    server: Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing is printed."""

    def do_GET(self) -> None:
        """The list of models, which some clients ask for first."""
        self._whole(200, {"object": "list", "data": []})

    def do_POST(self) -> None:
        """A chat completion."""
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        if not self.path.endswith("/chat/completions"):
            self._whole(404, failure("not_found", f"there is no {self.path} here"))
            return
        headers = {key.lower(): value for key, value in self.headers.items()}
        heard = Heard(json.loads(raw), headers)
        reply, number = self.server.answer(heard)
        try:
            if heard.streams:
                self._stream(heard, reply, number)
            else:
                self._complete(heard, reply, number)
        except OSError:  # the client is gone, or is to think that we are
            self.close_connection = True

    def _complete(self, heard: Heard, reply: Reply, number: int) -> None:
        if reply.pause_s:
            time.sleep(reply.pause_s)
        self._refuse(reply)
        if reply.fault in _STATUS:
            return
        if reply.fault is Fault.WRONG_SHAPE:
            self._whole(200, {"object": "something else"})
            return
        body = completion(heard, reply, number)
        raw = json.dumps(body).encode()
        if reply.fault in {Fault.CUT, Fault.QUIET_END}:
            self._head(200, "application/json", len(raw))
            self.wfile.write(raw[: len(raw) // 2])
            self._break()
        if reply.fault is Fault.WRONG_JSON:
            raw = raw[: len(raw) // 2]
        self._head(200, "application/json", len(raw))
        self.wfile.write(raw)

    def _stream(self, heard: Heard, reply: Reply, number: int) -> None:
        if reply.after == 0:
            self._refuse(reply)
            if reply.fault in _STATUS:
                return
        self._head(200, "text/event-stream", None)
        told = 0
        for is_word, each in events(heard, reply, number):
            if is_word:
                if told >= reply.after and reply.fault is not Fault.NONE:
                    break
                if reply.pause_s:
                    time.sleep(reply.pause_s)
                told += 1
            elif told >= reply.after and told > 0 and reply.fault is not Fault.NONE:
                break
            self._chunk(each)
        else:
            self._chunk(b"")
            return
        self._fail(reply)

    def _refuse(self, reply: Reply) -> None:
        """Faults before anything is sent."""
        if reply.fault is Fault.HANG:
            self._hang()
        if reply.fault not in _STATUS:
            return
        retry = {} if reply.retry_after_s is None else {"Retry-After": f"{reply.retry_after_s:g}"}
        self._whole(_STATUS[reply.fault], failure(str(reply.fault), "as scripted"), retry)

    def _fail(self, reply: Reply) -> None:
        """Faults in mid-stream."""
        if reply.fault is Fault.HANG:
            self._hang()
        if reply.fault is Fault.CUT:
            self._break()
        if reply.fault in _STATUS:
            self._chunk(event(failure(str(reply.fault), "as scripted")))
        if reply.fault is Fault.WRONG_JSON:
            self._chunk(b'data: {"id": "chatcmpl-\n\n')
        if reply.fault is Fault.WRONG_SHAPE:
            self._chunk(event({"object": "something else"}))
        self._chunk(b"")

    def _whole(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        raw = json.dumps(body).encode()
        self._head(status, "application/json", len(raw), headers)
        self.wfile.write(raw)

    def _head(
        self, status: int, kind: str, length: int | None, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        """One chunk of a chunked body; an empty one ends it."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _hang(self) -> None:
        """Say nothing until the client has gone, or the server is closed."""
        self.wfile.flush()
        while not self.server.closing.is_set():
            ready, _, _ = select.select([self.connection], [], [], 0.05)
            if ready and not self.connection.recv(1, socket.MSG_PEEK):
                break
        self._break()

    def _break(self) -> None:
        """Cut the connection in the middle of whatever is said."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        raise _Gone
