"""The index on Chroma made anew: when much is dead, when something is forgotten, after a crash."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from numpy.lib.stride_tricks import sliding_window_view

from sls_chroma import ChromaIndex
from sls_chroma.shelves import Shelves, open_folder
from sls_chroma.tidying import tidy
from sls_plugins.errors import EncoderMismatchError
from sls_plugins.testing.contracts.index import entry_of
from sls_plugins.types import IndexEntry, Space, Vector, unit_rows

HERE = entry_of("x", 0).space
DIMENSION = 32
OPEN = "import sys; from sls_chroma import ChromaIndex; ChromaIndex(sys.argv[1], dimension=8)"


def opened(folder: Path, **options: bool) -> ChromaIndex:
    return ChromaIndex(folder, dimension=DIMENSION, fingerprint="test", **options)


def made(number: int, space: Space = HERE) -> IndexEntry:
    vector = unit_rows(np.random.default_rng(number).normal(size=(1, DIMENSION)))[0]
    return IndexEntry(id=f"entry-{number}", space=space, vector=vector)


def traces(folder: Path, vector: Vector) -> list[str]:
    """Files in which this vector stands, whatever rounding and normalising did to it."""
    found = []
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        data = file.read_bytes()
        for start in range(4):
            whole = data[start : start + (len(data) - start) // 4 * 4]
            numbers = np.frombuffer(whole, dtype="<f4")
            if len(numbers) < len(vector):
                continue
            with np.errstate(all="ignore"):
                windows = sliding_window_view(numbers, len(vector))
                if (np.abs(windows - vector).max(axis=1) < 1e-4).any():
                    found.append(file.name)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    return tmp_path / "chroma"


def test_what_is_forgotten_leaves_no_byte(folder: Path) -> None:
    """After a rebuild no file holds the vector or the id; the others are still found."""
    entries = [made(number) for number in range(1500)]
    with opened(folder) as index:
        index.add(entries)
        index.flush()
        assert traces(folder, entries[7].vector)
        index.remove(["entry-7"])
        index.flush()
        assert traces(folder, entries[7].vector)
        index.rebuild([entry for entry in entries if entry.id != "entry-7"])
        assert traces(folder, entries[7].vector) == []
        assert index.recall(200) > 0.95
    assert traces(folder, entries[7].vector) == []
    assert traces(folder, entries[8].vector)
    left = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"entry-7\x00" not in left
    assert b"entry-8" in left
    with opened(folder) as index:
        assert len(index.ids()) == 1499


def test_room_for_vectors_to_come_is_blank(folder: Path) -> None:
    """What Chroma wrote behind its vectors is overwritten, and the index works on."""
    with opened(folder) as index:
        index.rebuild([made(number) for number in range(3)])
        [file] = folder.glob("*/data_level0.bin")
        junk = made(7).vector.tobytes() * (file.stat().st_size // (4 * DIMENSION))
        file.write_bytes(junk)
        tidy(folder)
        assert not any(file.read_bytes())
        assert file.stat().st_size >= len(junk)
        index.add([made(number) for number in range(3, 1500)])
        index.flush()
    with opened(folder) as index:
        assert index.recall(1500) > 0.99
        tidy(folder)
        assert index.recall(1500) > 0.99


def test_a_collection_that_is_mostly_dead_is_replaced(folder: Path) -> None:
    """After many removals Chroma holds a new collection with the live entries only."""
    with opened(folder) as index:
        index.add([made(number) for number in range(600)])
        index.flush()
        index.remove([f"entry-{number}" for number in range(300)])
        index.flush()
        [found] = index.search(HERE, made(450).vector, 1)
        assert found.id == "entry-450"
    [collection] = chromadb.PersistentClient(
        path=folder, settings=Settings(anonymized_telemetry=False)
    ).list_collections()
    assert (collection.count(), collection.metadata["sls_number"]) == (300, 1)


def test_a_replacement_that_was_not_finished_does_not_count(folder: Path) -> None:
    """A process that died while it wrote the new collection leaves the old one in force."""
    with opened(folder) as index:
        index.add([made(number) for number in range(10)])
    client = open_folder(folder)
    shelves = Shelves(client, str(folder), "test", sole=True)
    shelves._make(HERE.tenant, 1, ready=False)
    shelves.close()
    with opened(folder) as index:
        assert len(index.ids()) == 10
    with opened(folder) as index:
        assert len(index._shelves._client.list_collections()) == 1


def test_a_replacement_that_was_finished_counts(folder: Path) -> None:
    """Where only the removal of the old collection is missing, the new one is taken."""
    with opened(folder) as index:
        index.add([made(number) for number in range(10)])
    client = open_folder(folder)
    shelves = Shelves(client, str(folder), "test", sole=True)
    shelves._make(HERE.tenant, 1, ready=True)
    shelves.close()
    with opened(folder) as index:
        assert index.ids() == frozenset()
        assert len(index._shelves._client.list_collections()) == 1


def test_files_of_another_version_of_chroma_are_written_anew(folder: Path) -> None:
    """What another version of Chroma wrote is copied into a collection of the present one."""
    with opened(folder) as index:
        index.add([made(number) for number in range(10)])
    client = open_folder(folder)
    [collection] = client.list_collections()
    collection.modify(metadata={**collection.metadata, "sls_chroma": "0.4"})
    client.close()
    with opened(folder) as index:
        assert len(index.ids()) == 10
        [collection] = index._shelves._client.list_collections()
        assert collection.metadata["sls_chroma"] == ".".join(chromadb.__version__.split(".")[:2])


def test_a_fresh_index_throws_away_what_another_encoder_left(folder: Path) -> None:
    """Refused without being asked to, made anew when asked."""
    with ChromaIndex(folder, dimension=8, fingerprint="other") as index:
        index.add([entry_of("a", 1)])
    with pytest.raises(EncoderMismatchError, match="sls doctor SETTINGS --rebuild"):
        opened(folder)
    with opened(folder, fresh=True) as index:
        assert index.ids() == frozenset()
        index.add([made(1)])
    with opened(folder) as index:
        assert index.ids() == {"entry-1"}


def test_damaged_files_are_told_and_made_anew(folder: Path) -> None:
    """The error names the command that mends it."""
    folder.mkdir()
    (folder / "chroma.sqlite3").write_bytes(b"no database at all" * 100)
    ran = subprocess.run(
        [sys.executable, "-c", OPEN, str(folder)], capture_output=True, text=True, check=False
    )
    assert "StorageError" in ran.stderr
    assert "sls doctor SETTINGS --rebuild" in ran.stderr
    with opened(folder, fresh=True) as index:
        index.add([made(1)])
        [found] = index.search(HERE, made(1).vector, 1)
    assert found.id == "entry-1"
