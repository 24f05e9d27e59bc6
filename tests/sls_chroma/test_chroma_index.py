"""The index on Chroma: what survives, who may open it, what is refused."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import chromadb
import pytest
from chromadb.config import Settings

from sls_chroma import ChromaIndex, make
from sls_plugins.errors import EncoderMismatchError, SettingsError, StorageError
from sls_plugins.protocols import Context
from sls_plugins.testing.contracts.index import IndexContract, entry_of, unit_vector
from sls_plugins.types import Space

HERE = entry_of("x", 0).space
ELSEWHERE = Space("two", "b")


CLIENTS = """
import sys
from sls_chroma import ChromaIndex
from sls_plugins.testing.contracts.index import entry_of, unit_vector

def told(index):
    found = index.search(entry_of("x", 0).space, unit_vector(1), 5)
    print("".join(sorted(one.id for one in found)) or "nothing")

one = ChromaIndex(url=sys.argv[1], dimension=8, fingerprint="test")
other = ChromaIndex(url=sys.argv[1], dimension=8, fingerprint="test")
told(other)
one.add([entry_of("a", 1), entry_of("b", 2)])
one.flush()
other.add([entry_of("c", 3)])
told(other)
one.remove(["a"])
one.flush()
told(other)
one.close()
other.close()
"""


class TestChromaIndex(IndexContract):
    @pytest.fixture
    def index_factory(self, tmp_path: Path) -> Callable[[], ChromaIndex]:
        return lambda: ChromaIndex(tmp_path / "chroma", dimension=8, fingerprint="test")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "chroma"


@pytest.fixture
def stored(folder: Path) -> Iterator[Path]:
    """A folder with three entries of two tenants."""
    with ChromaIndex(folder, dimension=8, fingerprint="test") as index:
        index.add([entry_of("a", 1), entry_of("b", 2), entry_of("c", 3, ELSEWHERE)])
    return folder


def test_a_restart_finds_what_was_stored(stored: Path) -> None:
    """Ids, spaces and vectors come back from the folder."""
    with ChromaIndex(stored, dimension=8, fingerprint="test") as index:
        assert index.ids() == {"a", "b", "c"}
        [found] = index.search(ELSEWHERE, unit_vector(3), 2)
    assert (found.id, round(found.similarity, 4)) == ("c", 1.0)


def test_removal_and_replacement_survive_a_restart(stored: Path) -> None:
    """What was dropped stays away; what moved to another tenant is found there only."""
    with ChromaIndex(stored, fingerprint="test") as index:
        index.remove(["a"])
        index.add([entry_of("b", 7, ELSEWHERE)])
    with ChromaIndex(stored, fingerprint="test") as index:
        assert index.ids() == {"b", "c"}
        assert list(index.search(HERE, unit_vector(2), 3)) == []
        assert index.search(ELSEWHERE, unit_vector(7), 1)[0].id == "b"


def test_flush_makes_it_durable(folder: Path) -> None:
    """After a flush another reader of Chroma's files sees the entries: ids and spaces, no text."""
    index = ChromaIndex(folder, dimension=8, fingerprint="test")
    index.add([entry_of(f"e{seed}", seed) for seed in range(700)])
    index.flush()
    with sqlite3.connect(folder / "chroma.sqlite3") as database:
        [(count,)] = database.execute("select count(*) from embeddings").fetchall()
        keys = {key for (key,) in database.execute("select distinct key from embedding_metadata")}
    database.close()
    index.close()
    assert count == 700
    assert keys == {"scope"}


def test_a_second_process_is_refused_at_once(stored: Path) -> None:
    """Embedded Chroma is not safe for two processes: the second is told how to run a server."""
    program = (
        "import sys\nfrom sls_chroma import ChromaIndex\nfrom sls_plugins.errors import *\n"
        "try:\n    ChromaIndex(sys.argv[1], fingerprint='test')\n"
        "except StorageError as error:\n    print(error)\n"
    )
    with ChromaIndex(stored, fingerprint="test"):
        ran = subprocess.run(
            [sys.executable, "-c", program, str(stored)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        )
    assert "in use" in ran.stdout
    assert "chroma run --path" in ran.stdout


def test_a_second_index_in_this_process_is_refused(stored: Path) -> None:
    """The folder belongs to one index, and is free again once that is closed."""
    with ChromaIndex(stored, fingerprint="test"), pytest.raises(StorageError, match="in use"):
        ChromaIndex(stored, fingerprint="test")
    ChromaIndex(stored, fingerprint="test").close()


def test_the_lock_of_a_dead_process_is_no_lock(stored: Path) -> None:
    """A process that was killed leaves the folder free."""
    program = (
        "import os, sys\nfrom sls_chroma.lock import FolderLock\nfrom pathlib import Path\n"
        "held = FolderLock(Path(sys.argv[1]))\nprint('held', flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(stored)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    assert (ran.stdout, ran.returncode) == ("held\n", -9)
    ChromaIndex(stored, fingerprint="test").close()


def test_another_encoder_is_refused_and_the_folder_is_free_again(stored: Path) -> None:
    """Vectors of two encoders never meet; the error names both and says what to do."""
    with pytest.raises(EncoderMismatchError, match="rebuilt") as caught:
        ChromaIndex(stored, fingerprint="other")
    assert (caught.value.stored, caught.value.configured) == ("test", "other")
    ChromaIndex(stored, fingerprint="test").close()


def test_another_metric_is_refused(folder: Path) -> None:
    """A collection that compares by l2 is an error, not a source of wrong similarities."""
    folder.mkdir(parents=True)
    client = chromadb.PersistentClient(folder, settings=Settings(anonymized_telemetry=False))
    client.create_collection("sls-x", embedding_function=None, metadata={"sls_fingerprint": "test"})
    client.close()
    with pytest.raises(EncoderMismatchError, match="l2"):
        ChromaIndex(folder, fingerprint="test")


def test_collections_of_others_are_left_alone(folder: Path) -> None:
    """A folder may hold what is not ours."""
    folder.mkdir(parents=True)
    client = chromadb.PersistentClient(folder, settings=Settings(anonymized_telemetry=False))
    client.create_collection("theirs", embedding_function=None)
    client.close()
    with ChromaIndex(folder, fingerprint="test") as index:
        assert index.ids() == frozenset()


def test_reconcile_brings_the_index_in_line_with_the_rows(stored: Path) -> None:
    """After a crash, lost entries are added and dead ones dropped."""
    with ChromaIndex(stored, fingerprint="test") as index:
        index.reconcile(iter([entry_of("b", 2), entry_of("d", 4)]))
        assert index.ids() == {"b", "d"}
    with ChromaIndex(stored, fingerprint="test") as index:
        assert index.ids() == {"b", "d"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a Chroma server of our own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(sys.executable).with_name("chroma")
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(
            [program, "run", "--path", tmp_path, "--host", "127.0.0.1", "--port", str(port)],
            stdout=log,
            stderr=log,
        )
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    running.terminate()
    running.wait()


@pytest.fixture
def old_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that tells its version on one path only, and knows nothing else."""
    path, version = request.param

    class Says(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = json.dumps(version).encode() if self.path == path else b""
            self.send_response(200 if told else 404)
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Says) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "old_server", [("/api/v1/version", "0.5.23"), ("/api/v2/version", "2.0.0")], indirect=True
)
def test_a_server_of_another_version_is_refused(
    old_server: str, request: pytest.FixtureRequest
) -> None:
    """The error names both versions and the command to run."""
    version = request.node.callspec.params["old_server"][1]
    with pytest.raises(SettingsError, match=re.escape(version)) as caught:
        ChromaIndex(url=old_server, dimension=4, fingerprint="test")
    assert chromadb.__version__ in str(caught.value)
    assert "chroma run" in str(caught.value)


@pytest.mark.slow
def test_clients_of_one_server_find_each_others_entries(server: str) -> None:
    """With a server every process finds what the others wrote, new tenants too."""
    # In a process of their own: Chroma's client leaves its sockets to the garbage collector.
    ran = subprocess.run(
        [sys.executable, "-c", CLIENTS, server],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    assert ran.stdout.split() == ["nothing", "abc", "bc"]


def test_threads_may_add_and_search_at_once(folder: Path) -> None:
    """Nothing is lost when several threads write."""
    with ChromaIndex(folder, dimension=8, fingerprint="test", batch=16) as index:

        def write(part: int) -> None:
            for step in range(50):
                index.add([entry_of(f"{part}-{step}", part * 100 + step)])
                index.search(HERE, unit_vector(step), 1)

        threads = [threading.Thread(target=write, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with ChromaIndex(folder, fingerprint="test") as index:
        assert len(index.ids()) == 200


def test_a_closed_index_takes_nothing_in(folder: Path) -> None:
    """Adding to a closed index is an error, not a loss."""
    index = ChromaIndex(folder, dimension=8, fingerprint="test")
    index.close()
    with pytest.raises(StorageError, match="closed"):
        index.add([entry_of("e", 1)])


def test_exactly_one_place_is_needed() -> None:
    """A folder or a server, not both and not none."""
    with pytest.raises(SettingsError):
        ChromaIndex()
    with pytest.raises(SettingsError):
        ChromaIndex("folder", url="http://127.0.0.1:8000")
    with pytest.raises(SettingsError, match="web address"):
        ChromaIndex(url="localhost:8000")


def test_the_factory_keeps_files_in_the_context_folder(tmp_path: Path) -> None:
    """Options are checked; without any the context's folder is used."""
    context = Context(clock=lambda: 0.0, dimension=8, fingerprint="test", folder=str(tmp_path))
    with make(context, {}) as index:
        index.add([entry_of("e", 1)])
    assert (tmp_path / "chroma" / "chroma.sqlite3").exists()
    with pytest.raises(SettingsError, match="paht"):
        make(context, {"paht": "x"})
    with pytest.raises(SettingsError, match="folder"):
        make(Context(clock=lambda: 0.0), {})
