"""What calls cost."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sls_plugins.errors import PriceUnknownError
from sls_plugins.tokens import Price, cost_usd, price_of, priced
from sls_plugins.types import Candidate, Usage

LISTED = "gpt-4o-mini"
"""A model whose price has been the same since 2024."""


def make_candidate(**fields: object) -> Candidate:
    known = {"name": "mine", "input_usd_per_mtok": 2.0, "output_usd_per_mtok": 8.0}
    return Candidate(**(known | fields))


def test_cost_is_tokens_times_price() -> None:
    """Input and output tokens cost their price per million."""
    usage = Usage(input_tokens=1500, output_tokens=250)
    assert cost_usd(make_candidate(), usage) == pytest.approx(0.005)


def test_cached_tokens_have_their_own_price() -> None:
    """Cached tokens are part of the input and cost the cached price."""
    usage = Usage(input_tokens=1000, cached_tokens=600)
    cheap = make_candidate(cached_input_usd_per_mtok=0.5)
    assert cost_usd(cheap, usage) == pytest.approx((400 * 2.0 + 600 * 0.5) / 1e6)


def test_cached_tokens_without_a_price_cost_the_inputs() -> None:
    """Without a cached price all input costs the same."""
    usage = Usage(input_tokens=1000, cached_tokens=600)
    assert cost_usd(make_candidate(), usage) == pytest.approx(0.002)


def test_cached_free_of_charge() -> None:
    """A cached price of 0 is a price."""
    usage = Usage(input_tokens=1000, cached_tokens=1000)
    assert cost_usd(make_candidate(cached_input_usd_per_mtok=0.0), usage) == 0.0


def test_reasoning_is_part_of_the_output() -> None:
    """Reasoning tokens are not charged twice."""
    usage = Usage(output_tokens=500, reasoning_tokens=400)
    assert cost_usd(make_candidate(), usage) == pytest.approx(0.004)


def test_no_cost_is_negative() -> None:
    """A provider that counts cached tokens beside the input gets no refund for it."""
    usage = Usage(input_tokens=100, cached_tokens=900)
    candidate = make_candidate(cached_input_usd_per_mtok=0.5)
    assert cost_usd(candidate, usage) == pytest.approx(100 * 0.5 / 1e6)


def test_a_fee_is_added_once() -> None:
    """The fixed fee is paid for every query, also without tokens."""
    assert cost_usd(make_candidate(usd_per_query=0.01), Usage()) == pytest.approx(0.01)


def test_own_prices_come_first() -> None:
    """A candidate's own prices are used even if the table knows its name."""
    own = make_candidate(name=LISTED)
    assert price_of(own) == Price(input_usd_per_mtok=2.0, output_usd_per_mtok=8.0)


def test_missing_prices_are_looked_up() -> None:
    """Without prices the table is asked by name."""
    price = price_of(Candidate(name=LISTED, usd_per_query=0.5))
    assert price == Price(
        input_usd_per_mtok=0.15,
        output_usd_per_mtok=0.6,
        cached_input_usd_per_mtok=0.075,
        usd_per_query=0.5,
    )


def test_only_what_is_missing_is_looked_up() -> None:
    """A price that is given stays, the other comes from the table."""
    price = price_of(Candidate(name=LISTED, input_usd_per_mtok=1.0))
    assert (price.input_usd_per_mtok, price.output_usd_per_mtok) == (1.0, 0.6)
    assert price.cached_input_usd_per_mtok is None


@pytest.mark.parametrize(
    "fields",
    [
        {"price_name": LISTED},
        {"price_name": LISTED, "provider": "openai"},
        {"price_name": f"openai/{LISTED}"},
    ],
)
def test_it_is_looked_up_under_its_price_name(fields: dict[str, str]) -> None:
    """The price's name may differ from the candidate's, and may tell the provider."""
    assert price_of(Candidate(name="our small one", **fields)).output_usd_per_mtok == 0.6


def test_priced_fills_all_prices_in() -> None:
    """A priced candidate has every price, and pricing it again changes nothing."""
    full = priced(Candidate(name=LISTED, tags=frozenset({"eu"})))
    assert (full.input_usd_per_mtok, full.output_usd_per_mtok) == (0.15, 0.6)
    assert full.cached_input_usd_per_mtok == 0.075
    assert full.tags == {"eu"}
    assert priced(full) == full
    assert priced(make_candidate()).cached_input_usd_per_mtok == 2.0


@pytest.mark.parametrize("fields", [{}, {"provider": "openai"}, {"price_name": "nobody/nothing-9"}])
def test_an_unknown_price_is_an_error(fields: dict[str, str]) -> None:
    """A candidate without a price is named, with the way to give one."""
    with pytest.raises(PriceUnknownError, match="input_usd_per_mtok=") as caught:
        price_of(Candidate(name="no-such-model-1", **fields))
    assert caught.value.candidate == "no-such-model-1"


def test_without_the_table_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the price table is not installed, the error names the extra."""
    monkeypatch.setattr("sls_plugins.tokens.prices.TABLE_PACKAGE", "no_such_package")
    with pytest.raises(PriceUnknownError, match=r"sls-plugins\[prices\]"):
        price_of(Candidate(name=LISTED))
    assert price_of(make_candidate()).input_usd_per_mtok == 2.0


def test_the_table_is_not_loaded_for_nothing() -> None:
    """Importing the room, or pricing a candidate that has its prices, loads no price table."""
    program = (
        "import sys; from sls_plugins.tokens import priced;"
        "from sls_plugins.types import Candidate;"
        "priced(Candidate(name='m', input_usd_per_mtok=1.0, output_usd_per_mtok=1.0));"
        "print('genai_prices' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "False"


def test_reasoning_tokens_may_have_a_price_of_their_own() -> None:
    """Tokens of thought, counted among the output's, cost what the candidate says they cost."""
    usage = Usage(input_tokens=0, output_tokens=100, reasoning_tokens=60)
    assert cost_usd(make_candidate(), usage) == pytest.approx(800 / 1e6)
    thinker = make_candidate(reasoning_usd_per_mtok=3.0)
    assert cost_usd(thinker, usage) == pytest.approx((40 * 8 + 60 * 3) / 1e6)
