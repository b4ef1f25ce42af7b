"""`serval gate`."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from serval.commands.stored import opened_run
from serval.commands.terminal import narrow_table, print_json, say, terminal
from serval.files import write_text
from serval.gate import Bounds, bounds_from_options, bounds_from_toml, gate, junit_xml
from serval.gate.bounds import DIFFERENCES, FILES, merged, per_unit
from serval.wording import change_short, counted, in_points, without_nan

if TYPE_CHECKING:
    from serval.gate import Check, GateResult

KNOWN_FILE = Path("gate.toml")
COLOURS = {"pass": "green", "fail": "red", "cannot tell": "yellow"}


@click.command("gate")
@click.argument("run")
@click.option(
    "--min", "least", multiple=True, metavar="METRIC=VALUE", help="At least, accuracy=0.8 or 80%."
)
@click.option(
    "--max", "most", multiple=True, metavar="METRIC=VALUE", help="At most, failures=0.01 or 1%."
)
@click.option("--max-drop", "drop", multiple=True, metavar="METRIC=POINTS",
              help="At most so many points below --baseline, decided by the interval.")  # fmt: skip
@click.option("--max-group-gap", "gap", multiple=True, metavar="METRIC[:COLUMN]=POINTS",
              help="At most so many points between the best and the worst group.")  # fmt: skip
@click.option("--baseline", default="", help="The run that drops are measured against.")
@click.option("--bench", default="", help="bench.json of serval bench, or its folder: bench.KEY.")
@click.option(
    "--stress", default="", help="stress.json of serval stress, or its folder: stress.KEY."
)
@click.option("--cannot-tell", type=click.Choice(["fail", "pass"]),
              help="Of a bound that the clips cannot decide.  [default: fail]")  # fmt: skip
@click.option("--file", "-f", "file", type=click.Path(path_type=Path),
              help="Bounds as a TOML file, to which flags add; default: gate.toml.")  # fmt: skip
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit XML.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def gate_command(
    run: str,
    file: Path | None,
    junit: Path | None,
    *,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - click's flags
) -> None:
    """Fail if a stored run does not keep its bounds: for CI.

    Exit codes: 0 every bound is kept; 1 at least one is not, or cannot be decided;
    2 something is wrong with the command or the files.
    """
    names = {"least": "min", "most": "max", "drop": "max-drop", "gap": "max-group-gap"}
    flags = bounds_from_options(
        {kind: given[flag] for flag, kind in names.items()},
        **{name: given[name] or "" for name in (*FILES, "cannot_tell")},
    )
    bounds = _with_file(flags, file)
    for line in bounds.outdated:
        say(f"serval: {line}", err=True)
    result = gate(opened_run(run), bounds, opened_run)
    if junit:
        write_text(junit, junit_xml(result))
    if as_json:
        print_json(without_nan(result.as_dict()))
    else:
        _print(result)
    sys.exit(0 if result.passed else 1)


def _with_file(flags: Bounds, file: Path | None) -> Bounds:
    """Return the bounds of the flags on top of those of the file, which is named or lies here."""
    if file is None and KNOWN_FILE.is_file():
        file = KNOWN_FILE
    return merged(bounds_from_toml(file), flags) if file else flags


def _print(result: GateResult) -> None:
    console = terminal()
    console.print_verdict([gate_verdict(result)])
    table = narrow_table(["bound"], ["demanded", "found", "95 %"], "verdict")
    for check in result.checks:
        verdict = Text(check.verdict, style=COLOURS[check.verdict])
        table.add_row(f"{check.kind} {check.metric}", *_cells(check), verdict)
    console.print_table(table)
    reasons = [f"{c.reason.removesuffix('.')}." for c in result.checks if c.verdict != "pass"]
    console.print_items(reasons, len(reasons))
    console.print_caveats(result.warnings)


def gate_verdict(result: GateResult) -> str:
    """Return the sentence that says whether the gate is passed, and what is in the way."""
    kept = sum(check.verdict == "pass" for check in result.checks)
    words = f"{kept} of {counted(len(result.checks), 'bound')} kept"
    for verdict, what in (("fail", "broken"), ("cannot tell", "not decided by these clips")):
        names = [f"{c.kind} {c.metric}" for c in result.checks if c.verdict == verdict]
        words += f"; {what}: {', '.join(names)}" if names else ""
    return f"{result.name} {'passes' if result.passed else 'does NOT pass'} the gate: {words}."


def _cells(check: Check) -> tuple[str, str, str]:
    """Return bound, value and interval: points of a difference of shares, else as it is."""
    if check.kind in DIFFERENCES and per_unit(check.kind, check.metric) == 1:
        return f"{check.bound:g}", f"{check.value:+.4f}", f"[{check.low:+.4f}, {check.high:+.4f}]"
    if check.kind in DIFFERENCES:
        change = {end: getattr(check, end) / 100 for end in ("value", "low", "high")}
        value, _, interval = change_short(change, 2).partition(" ")
        return in_points(check.bound / 100), value, interval
    found = "n/a" if math.isnan(check.value) else f"{check.value:.4g}"
    span = "" if math.isnan(check.low) else f"[{check.low:.4g}, {check.high:.4g}]"
    return f"{check.bound:g}", found, span
