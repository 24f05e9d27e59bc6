"""`sls explain`: tells a stored decision."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

from rich.markup import escape

from sls_plugins.cli.work.reporting import check_outputs
from sls_plugins.cli.work.screen import show
from sls_plugins.evaluation.files import write_json
from sls_plugins.scheduler.selection import choose_again
from sls_plugins.storage import open_stores
from sls_plugins.types import Decision

__all__ = ["run"]


def run(decision_id: str, database: str, json: Path | None) -> None:
    """Show it. Raises UnknownDecisionError, or StorageError for a database that is not there."""
    check_outputs((json,), None)
    url = database if "://" in database else f"sqlite:///{database}"
    stores = open_stores(url, time.time)
    try:
        decision = stores.log.decision(decision_id)
    finally:
        stores.database.close()
    explanation = decision.explain()
    again = made_again(decision)
    show(escape(f"{explanation}\n{again}"))
    if json is not None:
        offers = [{**asdict(offer), "would_take": offer.would_take} for offer in explanation.offers]
        write_json(
            json,
            {
                "decision_id": decision.id,
                "candidate": decision.candidate,
                "why": decision.why,
                "price": decision.price,
                "propensity": decision.propensity,
                "offers": offers,
                "ineligible": dict(decision.ineligible),
                "made_again": again,
            },
        )


def made_again(decision: Decision) -> str:
    """Whether the choice comes out the same from its receipt."""
    if not decision.terms:
        return "it was not chosen by the scheduler, so it cannot be made again"
    ranking, propensity = choose_again(decision)
    if (ranking, propensity) == (decision.ranking, decision.propensity):
        return "made again from its receipt: the same"
    return f"made again from its receipt: {', '.join(ranking)}, which is not what is stored"
