"""Several processes on one database: what was acknowledged is kept, and learnt once by each."""

from __future__ import annotations

from pathlib import Path

import pytest

from sls_plugins.evaluation.crowding import Crowd


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_is_lost_or_learnt_twice(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Processes are killed and replaced, the server is cut off once: all counts stay at zero."""
    url, interrupt = f"sqlite:///{tmp_path}/sls.db", None
    if database == "postgresql":
        server = request.getfixturevalue("postgres")
        url, interrupt = server.new_database(), server.restart
    told = Crowd(url, tmp_path, workers=2, interrupt=interrupt).run(6.0, 2.0)
    assert told.acknowledged > 0
    assert told.kills > 0
    assert told.sound, told
