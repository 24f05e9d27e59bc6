"""Many processes spend from one ledger; killed ones leave nothing open, and no cap is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from sls_plugins.evaluation.spending import Spending, spend
from sls_plugins.evaluation.studies.ledger import report_of


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_window_is_over_its_cap_and_killed_processes_leave_nothing_open(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Two processes of eight threads, one killed now and then: the ledger stays true."""
    url = f"sqlite:///{tmp_path}/sls.db"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
    plan = Spending(
        url=url,
        folder=tmp_path,
        cap_usd=0.4,
        processes=2,
        threads=8,
        windows=1,
        hour_s=5.0,
        kill_s=2.0,
        hold_s=900.0,
    )
    told = spend(plan)
    [spent], [called] = told.spent_usd, told.called_usd
    assert 0.5 * plan.cap_usd < spent <= plan.cap_usd + 1e-9
    assert called >= spent - 1e-9
    assert told.open_usd == 0.0
    assert told.calls > 20
    assert "0 of 1 windows" in report_of([(plan, told)]).notes[0]
