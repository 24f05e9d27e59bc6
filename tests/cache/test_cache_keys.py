"""Keys, scopes, spaces, patterns: what is told apart and what is not."""

from __future__ import annotations

import pytest

from sls_plugins.cache.keys import exact_key, key_of, pattern_of, scope_of, space_of
from sls_plugins.types import Query, Space


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("caf\u00e9", "cafe\u0301"),
        (" hello\n", "hello"),
        ("a\r\nb", "a\nb"),
        ("a  \nb", "a\nb"),
    ],
)
def test_what_no_reader_sees_is_forgiven(one: str, other: str) -> None:
    """Encodings of an accent, line ends, blanks round the text make no difference."""
    assert exact_key(one) == exact_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("who helped us?", "who helped US?"),
        ("if x:\n    y", "if x:\n  y"),
        ("split 'a  b'", "split 'a b'"),
        ("2\u00b2", "22"),
        ("a b", "ab"),
    ],
)
def test_what_may_change_the_answer_is_kept(one: str, other: str) -> None:
    """Case, indentation, inner blanks, superscripts make another key."""
    assert exact_key(one) != exact_key(other)


def test_a_key_is_short_whatever_the_text() -> None:
    """Long texts and odd characters have a digest of 64 hexadecimal digits."""
    for text in ("x" * 100_000, "\ud800 lonely", "日本語"):
        assert len(exact_key(text)) == 64
    assert key_of(Query(text="a ")) == exact_key("a")


def test_a_scope_depends_on_names_and_values_only() -> None:
    """The order of names does not count, every value does."""
    parts = {"system": "be brief", "temperature": 0.0, "tools": ["a", "b"], "epoch": None}
    assert scope_of(parts) == scope_of(dict(reversed(parts.items())))
    assert scope_of({"tags": {"b", "a"}}) == scope_of({"tags": frozenset(("a", "b"))})
    for name, value in (("system", "be long"), ("temperature", 0.1), ("tools", ["b", "a"])):
        assert scope_of(parts) != scope_of(parts | {name: value})
    assert scope_of({"a": "1"}) != scope_of({"a": 1})


def test_a_scope_refuses_objects_whose_text_may_differ() -> None:
    """An object's address must not become part of a scope."""
    with pytest.raises(TypeError, match="plain values"):
        scope_of({"client": object()})


def test_the_task_is_a_wall() -> None:
    """Equal texts of two tasks live in two spaces, those of one tenant in that tenant's."""
    plain = Query(text="t", tenant="a", scope="s")
    assert space_of(plain) == Space("a", "s")
    spaces = {
        space_of(Query(text="t", tenant="a", scope="s", task=task)) for task in ("", "sum", "nlu")
    }
    assert len(spaces) == 3
    assert {space.tenant for space in spaces} == {"a"}


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("generating core.6801", "generating core.#"),
        ("rhost=112.95.230.3 user=root", "rhost=# user=root"),
        ("block blk_388 of 2026-11-20", "block # of #"),
        ("no digits here", "no digits here"),
    ],
)
def test_words_with_digits_are_masked(text: str, pattern: str) -> None:
    """A pattern keeps the words and drops what is counted."""
    assert pattern_of(text) == pattern
