"""A real PostgreSQL server in a folder of its own, for as long as a test needs it.

It runs from the programs that the machine's package `postgresql` brings, listens on the loopback
only, and is gone afterwards. PostgreSQL refuses to run as root: then it runs as another user.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["PostgresServer", "find_programs", "running"]

USERS = ("postgres", "nobody")
START_S = 60
STOP_S = 30


def find_programs() -> Path | None:
    """The folder with `initdb` and `pg_ctl`: the newest version's; None where there is none."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: float(path.parent.parent.name),
    )
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).resolve().parent if on_path else None


class PostgresServer:
    """One server: start it, stop it (also roughly), make databases in it.

    Raises subprocess.CalledProcessError, with the server's words, if a step fails.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        """`folder` exists, is empty, and may be read by the user that runs the server."""
        self.folder = folder
        self._programs = programs
        self._user = _other_user()
        self.port = _free_port()
        self._made = 0
        if self._user is not None:
            shutil.chown(folder, self._user)
        self._run("initdb", "--auth=trust", "--username=sls", "--no-sync", "-E", "UTF8")

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off"
        log = str(self.folder / "server.log")
        self._run("pg_ctl", "-w", "-t", str(START_S), "-l", log, "-o", options, "start")

    def stop(self, how: str = "fast") -> None:
        """Stop it: "smart" waits for its users, "fast" cuts them off, "immediate" is a crash."""
        self._run("pg_ctl", "-w", "-t", str(STOP_S), "-m", how, "stop")

    def restart(self) -> None:
        """Cut everybody off, as a crash would, and come back."""
        self.stop("immediate")
        self.start()

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        self._made += 1
        name = f"sls{self._made}"
        command = [str(self._programs / "createdb"), "-h", "127.0.0.1", "-p", str(self.port)]
        subprocess.run(  # noqa: S603 - the machine's own program
            [*command, "-U", "sls", name], check=True, capture_output=True, text=True
        )
        return f"postgresql://sls@127.0.0.1:{self.port}/{name}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self.folder / "data"), *arguments]
        with (self.folder / f"{program}.out").open("w") as out:  # a pipe would be kept open
            done = subprocess.run(  # noqa: S603 - the machine's own program
                command, user=self._user, stdout=out, stderr=out, check=False, cwd=self.folder
            )
        if done.returncode:
            told = (self.folder / f"{program}.out").read_text(encoding="utf-8")
            raise subprocess.CalledProcessError(done.returncode, command, told)


@contextlib.contextmanager
def running() -> Iterator[PostgresServer]:
    """A started server in a temporary folder. RuntimeError where PostgreSQL is not installed."""
    programs = find_programs()
    if programs is None:
        raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql")
    with tempfile.TemporaryDirectory(prefix="sls-pg-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder), programs)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


def _other_user() -> str | None:
    """The user to run as: ourselves (None), or if we are root, one without rights."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in USERS if name in known), USERS[-1])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
