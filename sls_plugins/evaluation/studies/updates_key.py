"""The one cell that matters most of `sls study updates`: 10 %, 100 late, wrong and complaining."""

from __future__ import annotations

from sls_plugins.evaluation.studies.updates import BIASED, CLEAN, study_cells
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup

__all__ = ["run"]


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """That cell beside the same rate and delay with clean labels."""
    return study_cells(setup, advance, [(0.1, 100, BIASED), (0.1, 100, CLEAN)])
