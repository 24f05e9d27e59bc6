"""Token counts without the network."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tiktoken

from sls_plugins.tokens import TiktokenCounter, encodings, estimate_tokens
from sls_plugins.types import TokenCount

O200K = "fb374d419588a4632f3f557e76b4b70aebbca790"
"""Under which name tiktoken caches o200k_base."""

TEXTS = (
    "",
    "Hello, world!",
    "I'm sure they'LL say we'd've gone, O'Brien's way",
    "SELECT * FROM t WHERE x='1';\r\n\r\n\t-- done   \n",
    "CamelCaseAndSnake_case/paths/to/file.py:1234567",
    "Größe, naïve, Ǆungla, Ελληνικά, русский, हिन्दी, 日本語, 한국어, ١٢٣",
    "🚀👩‍👩‍👧 e\u0301 \u00a0\u2028 x",
    "<|endoftext|> is plain text here",
    "half a pair \ud83d",
    "   many   spaces\t\ttabs  ",
)


class NetworkUsedError(AssertionError):
    """A connection was tried."""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail on any connection."""

    def refuse(*_: object) -> None:
        raise NetworkUsedError

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any encoding file; the folder stands for its temporary one."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(encodings, "PACKAGE", "no_such_package")
    return tmp_path


@pytest.fixture(scope="session")
def own_copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both encodings, as the counter keeps them."""
    folder = tmp_path_factory.mktemp("ours")
    for name in ("o200k_base", "cl100k_base"):
        assert not TiktokenCounter(name, folder=folder, environment={}).count("x").estimated
    return folder


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base"])
def test_counts_are_tiktokens(
    name: encodings.EncodingName, own_copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts equal those of tiktoken itself, and the process's environment is left alone."""
    counter = TiktokenCounter(name, environment={})
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(own_copies))
    original = tiktoken.get_encoding(name)
    for text in TEXTS:
        expected = TokenCount(tokens=len(original.encode_ordinary(text)), estimated=False)
        assert counter.count(text) == expected


def test_a_found_file_is_kept(tmp_path: Path) -> None:
    """What was found inside another package is copied into our own folder."""
    folder = tmp_path / "deep" / "ours"
    TiktokenCounter(folder=folder, environment={}).count("x")
    assert [file.name for file in folder.iterdir()] == [O200K]


def test_a_folder_that_cannot_be_written_hinders_no_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk or a missing right: the file is read where it was found."""
    (tmp_path / "file").write_text("no folder")
    assert not TiktokenCounter(folder=tmp_path / "file", environment={}).count("x").estimated
    assert "cannot be kept" in caplog.text


@pytest.mark.parametrize("variable", ["TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"])
def test_tiktokens_folders_are_searched(own_copies: Path, nowhere: Path, variable: str) -> None:
    """A file in the folder that tiktoken's variables name is used."""
    counter = TiktokenCounter(environment={variable: str(own_copies)})
    assert counter.count("Hello, world!") == TokenCount(tokens=4)


def test_tiktokens_default_folder_is_searched(own_copies: Path, nowhere: Path) -> None:
    """A file where tiktoken keeps it by default is used."""
    cache = nowhere / "data-gym-cache"
    cache.mkdir()
    (cache / O200K).symlink_to(own_copies / O200K)
    assert not TiktokenCounter(environment={}).count("x").estimated


def test_without_a_file_it_estimates(nowhere: Path) -> None:
    """Without an encoding the count is an estimate, and says so; nothing is downloaded."""
    text = "The quick brown fox jumps over the lazy dog."
    assert TiktokenCounter(environment={}).count(text) == TokenCount(tokens=10, estimated=True)


def test_a_broken_file_is_not_used(nowhere: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file with a wrong digest is left where it is, with a warning, and not used."""
    (nowhere / O200K).write_bytes(b"YQ== 0\n")
    assert TiktokenCounter(folder=nowhere, environment={}).count("x").estimated
    assert (nowhere / O200K).exists()
    assert "SHA-256" in caplog.text


def test_a_failed_download_is_told(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A download that is allowed and fails leaves estimates and a warning, and is tried once."""
    tried = []

    def unreachable(address: str) -> bytes:
        tried.append(address)
        raise ConnectionError("unreachable")

    monkeypatch.setattr(encodings, "read_file", unreachable)
    counter = TiktokenCounter(download=True, environment={})
    assert counter.count("x").estimated
    assert counter.count("y").estimated
    assert len(tried) == 1
    assert "could not be downloaded" in caplog.text


def test_a_download_is_kept(
    own_copies: Path, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download is checked and kept for the next time."""
    monkeypatch.setattr(encodings, "read_file", lambda _: (own_copies / O200K).read_bytes())
    assert not TiktokenCounter(folder=nowhere, download=True, environment={}).count("x").estimated
    assert not TiktokenCounter(folder=nowhere, environment={}).count("x").estimated


def test_a_false_download_is_refused(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download with a wrong digest is not kept."""
    monkeypatch.setattr(encodings, "read_file", lambda _: b"YQ== 0\n")
    assert TiktokenCounter(folder=nowhere, download=True, environment={}).count("x").estimated
    assert list(nowhere.iterdir()) == []


def test_long_texts_are_counted() -> None:
    """A million spaces, at which tiktoken alone panics, have a count."""
    count = TiktokenCounter(environment={}).count(" " * 1_000_000)
    assert not count.estimated
    assert 7_000 < count.tokens < 9_000


def test_repeated_texts_keep_their_count() -> None:
    """Whatever is remembered or forgotten, a text's count stays the same, in every thread."""
    counter = TiktokenCounter(capacity=2, environment={})
    texts = [f"{n} a text which is long enough to be remembered, I hope " * n for n in range(6)]
    expected = [counter.count(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert list(pool.map(counter.count, texts)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Could you explain to me how photosynthesis works, please, in two short sentences?",
        "def mean(values):\n    total = sum(values)\n    return total / len(values)\n",
        "2024-03-01 12:00:07,113 WARN [worker-3] retry 2 of 5 for /api/v1/items/8841",
        "Wir fahren morgen früh mit dem Zug nach München und kommen abends zurück.",
        "Мы поедем завтра утром на поезде и вернёмся вечером.",
        "我们明天早上坐火车去，晚上回来。",
        "明日の朝、電車で行って、夜に帰ります。",
        "내일 아침에 기차를 타고 가서 저녁에 돌아옵니다.",
    ],
    ids=["english", "code", "log", "german", "russian", "chinese", "japanese", "korean"],
)
def test_estimates_are_near(text: str) -> None:
    """An estimate is within 30 % of the encoding's count, whatever the script."""
    exact = TiktokenCounter(environment={}).count(text).tokens
    assert estimate_tokens(text) == pytest.approx(exact, rel=0.3)


@pytest.mark.parametrize(("text", "tokens"), [("", 0), (" ", 1), ("a", 1), ("café", 1), ("_", 1)])
def test_small_estimates(text: str, tokens: int) -> None:
    """Only the empty text has no tokens."""
    assert estimate_tokens(text) == tokens


@pytest.mark.parametrize("unit", [" ", "\r", "a", "_", "é", " \n", "😀", "\x00"])
def test_estimates_take_linear_time(unit: str) -> None:
    """No repetition makes the estimate hang."""
    assert estimate_tokens(unit * 200_000) > 0
