"""Settings from keywords and from TOML; every mistake is named with its key."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from sls_plugins import Budget, Candidate, Settings, build
from sls_plugins.errors import PriceUnknownError, SettingsError
from sls_plugins.settings import load_settings

TOML = """
encoder = "hashing"
seed = 7

[budget]
usd_per_query = 0.0007

[cache]
max_error = 0.01

[[candidates]]
name = "small"
input_usd_per_mtok = 0.1
output_usd_per_mtok = 0.4
capabilities = ["tools"]
"""


def test_a_file_says_the_same_as_keywords(tmp_path: Path):
    """TOML and keywords give equal settings."""
    path = tmp_path / "sls.toml"
    path.write_text(TOML)
    assert load_settings(path) == Settings(
        candidates=[
            Candidate(
                name="small",
                input_usd_per_mtok=0.1,
                output_usd_per_mtok=0.4,
                capabilities=frozenset({"tools"}),
            )
        ],
        budget=Budget(usd_per_query=0.0007),
        cache={"max_error": 0.01},
        encoder="hashing",
        seed=7,
    )


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("seed = 7", "sede = 7", ["sede", "did you mean 'seed'"]),
        ("usd_per_query", "usd_per_qery", ["budget.usd_per_qery", "'usd_per_query'"]),
        ("0.0007", "-1", ["budget.usd_per_query", "greater than 0"]),
        ("0.01", "1.5", ["cache.max_error", "less than 1"]),
        ("= 0.1", "= -0.1", ["Candidate 'small'", "input_usd_per_mtok", "-0.1"]),
        ("input_usd_per_mtok", "input_usd_mtok", ["Candidate 'small'", "input_usd_mtok", "mean"]),
        ('["tools"]', "3", ["Candidate 'small'", "capabilities"]),
        ("seed = 7", "seed = ", ["TOML"]),
    ],
)
def test_a_mistake_in_a_file_is_named_by_file_and_key(tmp_path: Path, old, new, names):
    """The error tells the file, the key and a hint."""
    path = tmp_path / "sls.toml"
    path.write_text(TOML.replace(old, new))
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    for name in [str(path), *names]:
        assert name in str(caught.value)


def test_a_missing_file_is_named():
    """A path that leads nowhere is told as such."""
    with pytest.raises(SettingsError, match=r"nowhere\.toml.*cannot be read"):
        build("nowhere.toml")


def test_mistakes_in_keywords_are_named_alike():
    """Keywords fail with the same error and key."""
    with pytest.raises(SettingsError, match=r"usd_per_query and price.*contradict"):
        Budget(usd_per_query=1, price=2)
    with pytest.raises(SettingsError, match=r"candidats.*did you mean 'candidates'"):
        Settings(candidats=[])
    with pytest.raises(SettingsError, match="'small' is declared twice"):
        Settings(candidates=[Candidate(name="small"), Candidate(name="small")])
    with pytest.raises(SettingsError, match=r"Candidate 'small'.*output_usd_per_mtok.*-1"):
        Candidate(name="small", output_usd_per_mtok=-1)
    with pytest.raises(SettingsError, match=r"quality_prior.*outside"):
        Candidate(name="small", quality_prior=2.0)


def test_an_engine_needs_a_candidate():
    """Without candidates there is nothing to schedule."""
    with pytest.raises(SettingsError, match="at least one"):
        build(Settings(encoder="hashing", plugins=()))


def test_a_candidate_without_a_price_is_refused_by_name():
    """No price in the settings and none in the table: the error says how to give one."""
    nameless = Candidate(name="nobody-knows-this-model")
    with pytest.raises(PriceUnknownError, match=r"nobody-knows-this-model.*input_usd_per_mtok="):
        build(Settings(candidates=[nameless], encoder="hashing", plugins=()))


def test_a_known_model_is_priced_by_name():
    """Without prices of your own the dated price table is asked."""
    settings = Settings(candidates=[Candidate(name="gpt-4o-mini")], encoder="hashing", plugins=())
    with build(settings) as engine:
        (candidate,) = engine.candidates
    assert candidate.input_usd_per_mtok == pytest.approx(0.15)
    assert candidate.output_usd_per_mtok == pytest.approx(0.6)


def test_unknown_parts_are_named_with_those_that_exist():
    """A misspelt part lists what there is."""
    candidate = Candidate(name="a", input_usd_per_mtok=1, output_usd_per_mtok=1)
    with pytest.raises(SettingsError, match="hashing, minilm"):
        build(Settings(candidates=[candidate], encoder="hashin", plugins=()))


def test_settings_are_frozen():
    """Configuration is a value: it does not change once made."""
    candidate = Candidate(name="a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        candidate.name = "b"  # type: ignore[misc]
