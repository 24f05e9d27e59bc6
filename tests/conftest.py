"""What all tests share: the recorded traces, and which tests may be skipped."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sls_plugins.storage.own_postgres import PostgresServer, find_programs, running

REPO = Path(__file__).resolve().parents[1]
TRACES = REPO.parent / "shared" / "traces"

# A model hub that cannot be reached is the same everywhere: none of the tests depends on one.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True, scope="session")
def _own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Commands keep embeddings in a user's cache folder: not in that of who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_loop_made_unasked() -> None:
    """LlamaIndex's blocking calls ask for the thread's event loop, and leave open one made so.

    Where a thread has said that it has none, they make their own and close it.
    """
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session")
def repo() -> Path:
    """The project's own folder."""
    return REPO


@pytest.fixture(scope="session")
def traces() -> Path:
    """The folder of recorded traces, which is not part of the project."""
    if not TRACES.is_dir():
        pytest.skip("the recorded traces are not here (../shared/traces)")
    return TRACES


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL server of the tests' own."""
    if find_programs() is None:
        pytest.skip("PostgreSQL is not installed here: apt-get install postgresql")
    with running() as server:
        yield server


class SkipKeeper:
    """Makes a run fail in which a test was skipped that had all it needs.

    Allowed are traces where there are none, and what another project's suite skips by itself (a
    chat model without tools is not asked to use tools).
    """

    def __init__(self) -> None:
        self.refused: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        absent = "traces" in report.keywords and not TRACES.is_dir()
        if report.skipped and not absent and not hasattr(report, "wasxfail"):
            self._refuse(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._refuse(report)

    def _refuse(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        place, _, reason = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, "")
        if not place or Path(place).resolve().is_relative_to(REPO / "tests"):
            self.refused.append(f"{report.nodeid}: {reason}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.refused:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.refused:
            terminalreporter.section("skipped, but CI=true: these must run", red=True)
            terminalreporter.write("\n".join([*self.refused, ""]))


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI") == "true":
        config.pluginmanager.register(SkipKeeper())
