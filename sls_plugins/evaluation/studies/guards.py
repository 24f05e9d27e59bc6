"""Whether guards stop flips of meaning, and what paraphrases they cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sls_plugins.cache.guards import DEFAULT_GUARDS, fired
from sls_plugins.cache.policy import CachePolicy
from sls_plugins.evaluation.flips import Pair, made_flips, made_paraphrases
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.testing.cache_world import CacheWorld, towards
from sls_plugins.types import CacheHit, Query

__all__ = ["is_served", "open_world", "run"]

_TAUGHT = 400


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Each pair's first text is stored; its second one is asked, as near as can be (cosine 0.999).

    The cache was taught that near neighbours are right, so only guards stand in the way.
    """
    flips, same = made_flips(setup.seeds[0]), made_paraphrases(setup.seeds[0])
    flips, same = flips[: setup.limit], same[: setup.limit]
    rows = []
    for title, pairs in (("flip", flips), ("paraphrase", same)):
        rows += _rows(title, pairs)
        advance(len(rows), title)
    world = open_world()
    served = sum(is_served(world, pair) for pair in flips)
    let = sum(is_served(world, pair) for pair in same)
    stopped = sum(bool(fired(DEFAULT_GUARDS, *pair.texts)) for pair in same)
    return StudyReport(
        title="Guards on made pairs",
        tables=(
            Table(
                title="What guards veto",
                columns=("pairs", "kind", "count", "vetoed", "share", "most by"),
                rows=tuple(rows),
            ),
        ),
        notes=(
            f"{served} of {len(flips)} flips were served by a cache taught to trust neighbours.",
            f"{let} of {len(same)} paraphrases were; guards stop {stopped / len(same):.1%}.",
        ),
        data={
            "flips": len(flips),
            "flips_served": served,
            "paraphrases": len(same),
            "paraphrases_served": let,
            "paraphrases_lost_share": stopped / len(same),
        },
    )


def open_world() -> CacheWorld:
    """A cache whose labels all said that near neighbours are right; nothing of guards."""
    world = CacheWorld(policy=CachePolicy(audit=0.0))
    world.teach(_TAUGHT, task="")
    return world


def is_served(world: CacheWorld, pair: Pair) -> bool:
    """Whether the second text is answered with the first one's answer."""
    tenant = f"{pair.kind}|{pair.texts[0]}|{pair.texts[1]}"
    world.call(Query(text=pair.texts[0], tenant=tenant), towards(0), "stored", quality=1.0)
    asked = Query(text=pair.texts[1], tenant=tenant)
    return isinstance(world.find(asked, towards(0, 0.999)), CacheHit)


def _rows(title: str, pairs: Sequence[Pair]) -> list[tuple[str, str, int, int, float, str]]:
    """A row for each kind of pairs."""
    rows = []
    for kind in dict.fromkeys(pair.kind for pair in pairs):
        names = [fired(DEFAULT_GUARDS, *pair.texts) for pair in pairs if pair.kind == kind]
        vetoed = [name for name in names if name]
        most = Counter(name for each in vetoed for name in each).most_common(1)
        share = len(vetoed) / len(names)
        rows.append((title, kind, len(names), len(vetoed), share, most[0][0] if most else ""))
    return rows
