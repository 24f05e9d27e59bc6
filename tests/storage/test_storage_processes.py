"""Several processes share one database; one that is killed loses nothing it was told is safe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sls_plugins.storage import open_stores
from sls_plugins.testing.contracts.storage_values import make_reservation

# Appends from 8 threads and prints each acknowledged line; reserves money it never settles.
WRITING = """
import sys, threading
from sls_plugins.storage import open_stores
from sls_plugins.testing.contracts.storage_values import *

stores = open_stores(sys.argv[1], lambda: 1000.0)
lock = threading.Lock()

def work(thread):
    for number in range(100_000):
        name = f"{thread}/{number}"
        stores.entries.add(make_entry(f"e{name}", key=name), make_vector(), "f")
        stores.log.add_decision(make_decision(name), make_query(), make_vector())
        stores.accounts.reserve(
            make_reservation(name, 0.001, 2000.0), cap_usd=1e6, since_s=0.0, now_s=1000.0
        )
        seq = stores.log.append(make_outcome(name)).seq
        with lock:
            print(seq, name, flush=True)

for thread in range(8):
    threading.Thread(target=work, args=(thread,), daemon=True).start()
threading.Event().wait(60)
"""

RESERVING = """
import sys
from sls_plugins.storage import open_stores
from sls_plugins.testing.contracts.storage_values import make_reservation

accounts = open_stores(sys.argv[1], lambda: 1000.0).accounts
held = 0
print("ready", flush=True)
input()
for number in range(400):
    reservation = make_reservation(f"{sys.argv[2]}/{number}", 0.25)
    won = accounts.reserve(reservation, cap_usd=50.0, since_s=0.0, now_s=1000.0)
    held += won
    if won and number % 2:
        accounts.settle(reservation.id, 0.125, 1000.0)
print(held)
"""

READING = """
import sys
from sls_plugins.storage import open_stores
from sls_plugins.testing.contracts.storage_values import SPACE, make_entry

entries = open_stores(sys.argv[1], lambda: 1000.0).entries
entries.add(make_entry(), None, "f")
entries.counts()
print(entries.find_key(SPACE, "key 1", 0.0) is not None, flush=True)
input()
print(entries.find_key(SPACE, "key 1", 0.0) is not None, flush=True)
"""


def run(program: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)


@pytest.mark.parametrize("lines", [1, 150, 400])
def test_a_killed_process_keeps_its_word(tmp_path: Path, lines: int) -> None:
    """Every line that was acknowledged before kill -9 is found; the dead hold no money."""
    url = f"sqlite:///{tmp_path}/sls.db"
    child = run(WRITING, url)
    assert child.stdout is not None
    told = [child.stdout.readline().split() for _ in range(lines)]
    child.kill()
    told += [line.split() for line in child.stdout.readlines() if line.endswith("\n")]
    child.communicate(timeout=30)
    stores = open_stores(url, lambda: 1000.0)
    logged = {line.seq: line.decision_id for line in stores.log.after(0, 1_000_000)}
    assert {int(seq): name for seq, name in told}.items() <= logged.items()
    found = stores.entries.find_ids([f"e{name}" for _, name in told], 1000.0)
    assert len(found) == len(told)
    assert stores.accounts.totals(0.0, 1999.0).reserved_usd > 0
    assert stores.accounts.totals(0.0, 2000.0).reserved_usd == 0
    everything = make_reservation("new", 1.0)
    assert stores.accounts.reserve(everything, cap_usd=1.0, since_s=0.0, now_s=2000.0)
    stores.database.close()


def test_processes_cannot_share_money(tmp_path: Path) -> None:
    """Two processes fill one cap exactly and never pass it."""
    url = f"sqlite:///{tmp_path}/sls.db"
    stores = open_stores(url, lambda: 1000.0)
    children = [run(RESERVING, url, str(number)) for number in range(2)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    outputs = [child.communicate(timeout=60)[0] for child in children]
    totals = stores.accounts.totals(0.0, 1000.0)
    assert sum(int(output) for output in outputs) >= 200
    assert 49.75 < totals.spent_usd + totals.reserved_usd <= 50.0
    stores.database.close()


def test_a_revocation_reaches_other_processes(tmp_path: Path) -> None:
    """When `revoke` returned, no other process serves the row."""
    url = f"sqlite:///{tmp_path}/sls.db"
    here = open_stores(url, lambda: 1000.0)
    with run(READING, url) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "True\n"
        here.entries.revoke(["e1"])
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "False\n"
    here.database.close()
