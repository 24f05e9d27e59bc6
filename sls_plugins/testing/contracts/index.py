"""What every index must do: inherit `IndexContract` and give it a way to make yours."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from sls_plugins.errors import EncoderMismatchError
from sls_plugins.protocols import Index
from sls_plugins.types import IndexEntry, Space, Vector, unit_rows

__all__ = ["IndexContract", "entry_of", "unit_vector"]

DIMENSION = 8
HERE = Space(tenant="one", scope="a")


def unit_vector(seed: int, dimension: int = DIMENSION) -> Vector:
    """A vector of length one, the same for the same seed, shape (dimension,)."""
    vector: Vector = unit_rows(np.random.default_rng(seed).normal(size=(1, dimension)))[0]
    return vector


def entry_of(entry_id: str, seed: int, space: Space = HERE) -> IndexEntry:
    """An entry with the vector of a seed."""
    return IndexEntry(id=entry_id, space=space, vector=unit_vector(seed))


class IndexContract:
    """Override the fixture `index_factory`: it gives a function that makes an empty index."""

    @pytest.fixture
    def index_factory(self) -> Callable[[], Index]:
        """A function that makes an empty index for vectors with 8 dimensions."""
        raise NotImplementedError("override the fixture index_factory")

    @pytest.fixture
    def index(self, index_factory: Callable[[], Index]) -> Iterator[Index]:
        """An empty index, closed after the test."""
        made = index_factory()
        yield made
        made.close()

    def test_the_nearest_comes_first_with_its_cosine(self, index: Index) -> None:
        """Neighbours are ordered by cosine similarity, which they carry."""
        entries = [entry_of(f"e{seed}", seed) for seed in range(20)]
        index.add(entries)
        query = unit_vector(99)
        cosines = {entry.id: float(entry.vector @ query) for entry in entries}
        expected = sorted(cosines, key=lambda one: -cosines[one])[:5]
        found = index.search(HERE, query, 5)
        assert [one.id for one in found] == expected
        assert [one.similarity for one in found] == pytest.approx(
            [cosines[one] for one in expected], abs=1e-5
        )

    def test_similarity_stays_within_its_bounds(self, index: Index) -> None:
        """A vector beside itself is 1 at most, whatever rounding says."""
        index.add([entry_of("e", 5)])
        [found] = index.search(HERE, unit_vector(5), 1)
        assert 0.9999 <= found.similarity <= 1.0

    def test_spaces_are_walls(self, index: Index) -> None:
        """An entry is found in its own tenant and scope only."""
        index.add([entry_of("e", 5)])
        for other in (Space("one", "b"), Space("two", "a"), Space("", "")):
            assert list(index.search(other, unit_vector(5), 3)) == []

    def test_a_known_id_is_replaced(self, index: Index) -> None:
        """The newest vector and space of an id count, and it is found once."""
        index.add([entry_of("e", 1), entry_of("other", 2)])
        index.add([entry_of("e", 3, Space("two", "b"))])
        assert [one.id for one in index.search(HERE, unit_vector(1), 3)] == ["other"]
        [found] = index.search(Space("two", "b"), unit_vector(3), 3)
        assert found.id == "e"
        assert found.similarity == pytest.approx(1.0, abs=1e-5)
        assert index.ids() == {"e", "other"}

    def test_removed_entries_are_not_found(self, index: Index) -> None:
        """What was removed is gone at once; unknown ids are ignored."""
        index.add([entry_of(f"e{seed}", seed) for seed in range(30)])
        gone = [f"e{seed}" for seed in range(25)]
        index.remove([*gone, "nobody"])
        assert {one.id for one in index.search(HERE, unit_vector(3), 30)} == {
            f"e{seed}" for seed in range(25, 30)
        }
        index.remove(gone)
        index.remove([f"e{seed}" for seed in range(25, 30)])
        assert index.ids() == frozenset()
        assert list(index.search(HERE, unit_vector(3), 3)) == []

    def test_never_more_than_asked_for(self, index: Index) -> None:
        """The number asked for is an upper limit; nothing is found where nothing was added."""
        assert list(index.search(HERE, unit_vector(1), 3)) == []
        assert index.ids() == frozenset()
        index.add([entry_of(f"e{seed}", seed) for seed in range(4)])
        assert [len(index.search(HERE, unit_vector(0), k)) for k in (0, 1, 3, 4, 9)] == [
            0,
            1,
            3,
            4,
            4,
        ]

    def test_the_callers_array_may_be_used_again(self, index: Index) -> None:
        """What was added does not change with the array it came from."""
        vector = unit_vector(1).copy()
        index.add([IndexEntry(id="e", space=HERE, vector=vector)])
        vector[:] = unit_vector(2)
        [found] = index.search(HERE, unit_vector(1), 1)
        assert found.similarity == pytest.approx(1.0, abs=1e-5)

    def test_a_vector_of_another_length_is_refused(self, index: Index) -> None:
        """Vectors of another encoder are an error, not a bad neighbour."""
        index.add([entry_of("e", 1)])
        with pytest.raises(EncoderMismatchError):
            index.add([IndexEntry(id="f", space=HERE, vector=unit_vector(1, DIMENSION + 1))])
        assert index.ids() == {"e"}

    def test_it_is_rebuilt_from_what_is_alive(self, index: Index) -> None:
        """Afterwards it holds exactly what it was given, each entry found by its own vector."""
        index.add([entry_of(f"e{seed}", seed) for seed in range(20)])
        index.add([entry_of("moved", 30)])
        moved = entry_of("moved", 30, Space("two", "b"))
        index.rebuild([*[entry_of(f"e{seed}", seed) for seed in range(5, 25)], moved])
        assert index.ids() == {"moved", *[f"e{seed}" for seed in range(5, 25)]}
        assert [one.id for one in index.search(HERE, unit_vector(24), 1)] == ["e24"]
        assert [one.id for one in index.search(Space("two", "b"), unit_vector(30), 5)] == ["moved"]
        index.flush()
        assert index.recall(100) == 1.0
        index.rebuild([])
        assert index.ids() == frozenset()
        assert index.recall(10) == 1.0

    def test_flush_and_close_may_be_called_twice(self, index: Index) -> None:
        """Tidying up is safe at any time."""
        index.add([entry_of("e", 1)])
        index.flush()
        index.flush()
        index.close()
        index.close()
