"""The server: listens on loopback, answers as it was told, fails as it was told."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from sls_plugins.testing.openai.listener import Listener
from sls_plugins.testing.openai.replies import Heard, Reply, obliging

__all__ = ["OpenAIServer"]


class OpenAIServer:
    """Chat completions over HTTP on 127.0.0.1, for tests: streaming, tools, JSON mode, faults.

    ::

        with OpenAIServer() as server:
            model = ChatOpenAI(model="small", base_url=server.url, api_key="none", max_retries=0)
            server.script("small", Reply(fault=Fault.RATE_LIMITED), Reply(text="At last."))

    Requests are answered by what was scripted for their model, one reply a request, then by
    `default`, a function of what was heard, which may be replaced. `heard` keeps all requests in
    order.
    """

    def __init__(self, default: Callable[[Heard], Reply] = obliging) -> None:
        """Listens at once, on a free port; close it, or use it in a `with` block."""
        self.heard: list[Heard] = []
        self.default = default
        self._scripts: dict[str, deque[Reply]] = {}
        self._lock = threading.Lock()
        self._listener = Listener(self._answer)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.01,))
        self._thread.daemon = True
        self._thread.start()

    @property
    def url(self) -> str:
        """What to give clients as their base URL."""
        return f"http://127.0.0.1:{self._listener.server_address[1]}/v1"

    def script(self, model: str, *replies: Reply) -> None:
        """The next replies of this model, after those scripted before."""
        with self._lock:
            self._scripts.setdefault(model, deque()).extend(replies)

    def asked(self, model: str) -> list[Heard]:
        """The requests to one model."""
        with self._lock:
            return [each for each in self.heard if each.model == model]

    def close(self) -> None:
        """Stop listening; whoever hangs is let go."""
        self._listener.stop()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _answer(self, heard: Heard) -> tuple[Reply, int]:
        """What to say to a request, and its number."""
        with self._lock:
            self.heard.append(heard)
            number = len(self.heard)
            script = self._scripts.get(heard.model)
            if script:
                return script.popleft(), number
        return self.default(heard), number
