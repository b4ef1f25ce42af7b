"""`serval quantize`."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from serval.commands.options import contract_options, label_options, reading_options
from serval.commands.terminal import say, terminal
from serval.inspection.targets import TARGETS
from serval.quantize import (
    Quantized,
    QuantizeOptions,
    Variants,
    compare_all,
    quantize,
    save_comparison,
    save_tried,
)
from serval.stopping import stop_if_asked
from serval.wording import percent, points

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from serval.bench.rounds import Ratio
    from serval.quantize.clips import Fidelity
    from serval.quantize.search import Sensitivity
    from serval.quantize.workbench import Trial

__all__ = ["quantize_command"]

DEFAULTS = QuantizeOptions()
MOST_LAYERS = 10
TABLE_WIDTH = 131
"""Columns of the comparison; a cut figure is worse than a wrapped line."""


@click.command("quantize")
@click.argument("model")
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True,
              help="The .onnx file to write.")  # fmt: skip
@click.option("--method", type=click.Choice(["static", "dynamic", "int4"]),
              default=DEFAULTS.method, show_default=True,
              help="Fixed ranges, ranges found at run time, or weights at 4 bits.")  # fmt: skip
@click.option("--calibration", metavar="DATASET",
              help="Speech that fixes the ranges; its train split, where it has one.")  # fmt: skip
@click.option("--clips", default=DEFAULTS.clips, show_default=True, metavar="N",
              help="Clips for the ranges; twice as many more choose between recipes.")  # fmt: skip
@click.option("--ranges", type=click.Choice(["auto", "min-max", "percentile", "entropy"]),
              default=DEFAULTS.ranges, show_default=True,
              help="auto: the one with the smallest measured error.")  # fmt: skip
@click.option("--convolutions", type=click.Choice(["auto", "int8", "weights"]),
              default=DEFAULTS.convolutions, show_default=True,
              help="In integer arithmetic, or stored in 8 bits only.")  # fmt: skip
@click.option("--smoothing", default=DEFAULTS.smoothing, show_default=True, metavar="S",
              help="Strength of SmoothQuant, 0 to 1.")  # fmt: skip
@click.option("--block", default=DEFAULTS.block, show_default=True, metavar="N",
              help="Weights that share a scale at 4 bits.")  # fmt: skip
@click.option("--portable/--full-range", default=DEFAULTS.portable, show_default=True,
              help="Same answers with and without VNNI, or the last third of a bit.")  # fmt: skip
@click.option("--target", type=click.Choice(list(TARGETS)), default=DEFAULTS.target,
              show_default=True, help="Refuse to make a file that does not run there.")  # fmt: skip
@click.option("--qdq", is_flag=True,
              help="Linear layers too as QuantizeLinear, DequantizeLinear; slower.")  # fmt: skip
@click.option("--eval", "evaluation", metavar="DATASET", help="Measure accuracy on this set.")
@reading_options
@label_options
@click.option("--max-drop", type=float, metavar="POINTS",
              help="Take layers out of INT8 until a larger loss is ruled out.")  # fmt: skip
@click.option("--compare-all", is_flag=True, help="Make every variant and compare them.")
@contract_options
@click.option("--workers", type=int, metavar="N", help="Default: one for each core.")
def quantize_command(model: str, output: Path, *, compare_all: bool, **flags: Any) -> None:  # noqa: ANN401 - click's flags
    """Make a model smaller and faster, and measure what that cost.

    MODEL is an FP32 .onnx file.

    \b
    serval quantize model.onnx -o model.int8.onnx --calibration ssi --eval ssi
    serval quantize model.onnx -o model.int8.onnx --calibration ssi --eval ssi --compare-all
    """  # noqa: D301 - click wants that backspace
    options = QuantizeOptions(**flags)
    if compare_all:
        _show_comparison(model, output, options)
    else:
        made = quantize(model, output, options, _tell)
        _show(made, save_tried(made) if options.max_drop is not None else None)
        say(f"Next: {_next_command(made.path, options)}")


def _tell(line: str) -> None:
    stop_if_asked()
    say(line, err=True)


def _show(made: Quantized, tried: Path | None) -> None:
    console = terminal()
    if made.tried:
        console.print(_trial_table(made.tried))
    if made.sensitive:
        console.print(_sensitive_table(made.sensitive))
    share = made.size_bytes / made.fp32_bytes
    say(f"{made.path}: {made.precision}, {made.size_bytes / 1e6:.1f} MB, {percent(share)} of FP32")
    say(f"  {'; '.join(made.recipe)}")
    if made.result is not None:
        say(f"  {_sentence(made.result)}")
    if tried:
        say(f"  everything that was tried: {tried}")


def _next_command(path: Path, options: QuantizeOptions) -> str:
    """Return what evaluates the file on the set that accuracy was measured on, if one was."""
    words = ["serval", "evaluate", "-m", str(path)]
    if options.evaluation is not None:
        given = {"-d": options.evaluation, "--split": options.split}
        given["--label-map"] = options.label_map
        words += [word for flag, text in given.items() if text for word in (flag, text)]
    return shlex.join(words)


def _sentence(trial: Trial) -> str:
    found = trial.measured
    agreement = f"same emotion as FP32 on {percent(found.agreement)} of {found.clips} clips"
    if found.right is None:
        return f"{agreement} of {trial.clips} that no range has seen"
    return (
        f"{trial.clips}: {found.right} of {found.clips} right, FP32 {found.reference_right} "
        f"({_gain(found.drop)} points{_span(found)}); {agreement}"
    )


def _span(found: Fidelity) -> str:
    """Return the interval of a gain, where it is known."""
    gap = found.change
    if gap is None or math.isnan(gap.low):
        return ""
    return f", 95 % interval {points(gap.low, sign=True)} to {points(gap.high, sign=True)}"


def _trial_table(trials: Iterable[Trial]) -> Table:
    table = Table(title="What was tried")
    table.add_column("recipe")
    for column in ("MB", "clips", "agreement", "logit error", "points"):
        table.add_column(column, justify="right")
    for trial in trials:
        found = trial.measured
        gained = "" if found.right is None else _gain(found.drop)
        table.add_row(
            trial.what,
            f"{trial.size_bytes / 1e6:.2f}",
            str(found.clips),
            percent(found.agreement),
            f"{found.logit_error:.3f}",
            gained,
        )
    return table


def _sensitive_table(sensitive: Sequence[Sensitivity]) -> Table:
    rest = len(sensitive) - MOST_LAYERS
    table = Table(
        title="Each layer quantized alone, the most sensitive first",
        caption=f"{rest} more in the file of what was tried" if rest > 0 else None,
    )
    for column in ("layer", "as"):
        table.add_column(column, overflow="fold")
    table.add_column("logit error", justify="right")
    for one in sensitive[:MOST_LAYERS]:
        table.add_row(one.layer, one.precision, f"{one.logit_error:.4f}")
    return table


def _gain(drop: float) -> str:
    """Return points of accuracy won, with their sign; none are `+0.00`."""
    return f"{0.0 - drop:+.2f}"


def _show_comparison(model: str, output: Path, options: QuantizeOptions) -> None:
    comparison = compare_all(model, output, options, _tell)
    width = max(TABLE_WIDTH, terminal().width)
    terminal(width).print(_comparison_table(comparison))
    for kind, path in save_comparison(comparison, output.parent).items():
        say(f"  {kind:>8}  {path}")
    made = [variant.file for variant in comparison.variants[1:]]
    say(f"     files  {', '.join(made)} in {output.parent}")


def _comparison_table(comparison: Variants) -> Table:
    n = comparison.variants[0].measured.clips
    table = Table(
        title=f"{comparison.model} on {n} clips of {comparison.clips}",
        caption="speed: all took turns in one run, median and quartiles; "
        "*: nothing else is smaller, faster and more accurate",
    )
    table.add_column("variant")
    table.add_column("precision")
    for column in ("MB", "of FP32", "clips/s", "against FP32", "against default", "accuracy",
                   "agreement", "Pareto"):  # fmt: skip
        table.add_column(column, justify="right")
    for variant in comparison.variants:
        table.add_row(
            variant.name,
            variant.precision,
            f"{variant.size_bytes / 1e6:.1f}",
            percent(variant.share),
            f"{variant.clips_per_s:.1f}",
            _times(variant.against_fp32),
            _times(variant.against_default),
            percent(variant.measured.accuracy),
            percent(variant.measured.agreement),
            "*" if variant.pareto else "",
        )
    return table


def _times(ratio: Ratio) -> str:
    return f"{ratio.median:.2f}x ({ratio.low:.2f}-{ratio.high:.2f})"
