"""The command line's root: its commands, how errors are told.

Commands are thin: they only describe options. What they do is in `sls_plugins.cli.work`, imported
by name when a command runs, so that `sls --help` is quick.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from sls_plugins import __version__
from sls_plugins.cli.bench import bench
from sls_plugins.cli.cache import cache, forget
from sls_plugins.cli.cache_replay import cache_replay
from sls_plugins.cli.demo import demo
from sls_plugins.cli.doctor import doctor
from sls_plugins.cli.explain import explain
from sls_plugins.cli.front import front
from sls_plugins.cli.plugins import plugins
from sls_plugins.cli.replay import replay
from sls_plugins.cli.study import study
from sls_plugins.cli.updates import events, feedback, snapshot, whatif
from sls_plugins.errors import SLSError

__all__ = ["app"]


class Group(TyperGroup):
    """Tells an `SLSError` in one line, with exit code 2; other errors are bugs, shown in full."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except SLSError as error:
            line = escape(" ".join(str(error).split()))
            console = Console(stderr=True, soft_wrap=True, highlight=False)
            console.print(f"[bold red]error:[/] {line}")
            raise typer.Exit(2) from error


app = typer.Typer(
    name="sls",
    cls=Group,
    help="SLS answers from a semantic cache, else picks the model that is worth its price, "
    "and learns from what happens.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sls-plugins {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """SLS: a scheduler for large language models."""


for command in (demo, replay, cache_replay, front, bench, study, explain, plugins, doctor):
    app.command()(command)
app.command()(events)
app.command()(whatif)
app.command()(forget)

app.add_typer(cache)
app.add_typer(feedback, name="feedback")
app.add_typer(snapshot, name="snapshot")
