"""`serval quantize`."""

from __future__ import annotations

import math
import shlex
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from serval.commands.options import contract_options, label_options, picture_option, reading_options
from serval.commands.terminal import Terminal, narrow_table, say, terminal
from serval.datasets import LabelledOptions
from serval.inspection.verdicts import TARGETS
from serval.options import as_words, changed
from serval.quantize import (
    Quantized,
    QuantizeOptions,
    Variants,
    compare_all,
    comparison_verdict,
    folder_beside,
    made_verdict,
    quantize,
    same_in_words,
    save_comparison,
    save_tried,
)
from serval.stopping import stop_if_asked
from serval.wording import as_sentence, counted, hundredths, points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from serval.bench.rounds import Ratio
    from serval.quantize.clips import Fidelity
    from serval.quantize.judged import Judged
    from serval.quantize.search import Sensitivity
    from serval.quantize.workbench import Trial

DEFAULTS = QuantizeOptions()
MOST_LAYERS = 10
WIDE = 100
"""Columns that hold the quartiles of the speeds, too."""


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
@click.option("--eval", "evaluation", metavar="DATASET",
              help="Measure accuracy, macro F1 or mean CCC on this set.")  # fmt: skip
@reading_options
@label_options
@click.option("--max-drop", type=float, metavar="POINTS",
              help="Take layers out of INT8 until a larger loss is ruled out.")  # fmt: skip
@click.option("--compare-all", is_flag=True, help="Make every variant and compare them.")
@click.option("--runtime", "runtimes", multiple=True, metavar="NAME",
              help="With --compare-all: run every file on openvino too.")  # fmt: skip
@contract_options
@click.option("--workers", type=int, metavar="N", help="Default: one for each core.")
@picture_option()
def quantize_command(model: str, output: Path, *, compare_all: bool, **flags: Any) -> None:  # noqa: ANN401 - click's flags
    """Make a model smaller and faster, and measure what that cost.

    MODEL is an FP32 .onnx file.

    \b
    serval quantize model.onnx -o int8.onnx --calibration ssi
    serval quantize model.onnx -o int8.onnx \\
        --calibration ssi --eval ssi --compare-all
    """  # noqa: D301 - click wants that backspace
    options = QuantizeOptions(**flags)
    if compare_all:
        _show_comparison(model, output, options)
    else:
        steps = count(1)  # how many there are, the search finds out
        made = quantize(model, output, options, lambda line: _tell(f"[{next(steps)}] {line}"))
        _show(made, save_tried(made) if options.max_drop is not None else None)
        terminal().print_next({"evaluate it": _next_command(made.path, options)})


def _tell(line: str) -> None:
    stop_if_asked()
    say(line, err=True)


def _show(made: Quantized, tried: Path | None) -> None:
    console = terminal()
    console.print_verdict(made_verdict(made))
    if made.tried:
        console.print_table(_trial_table(made.tried))
    if made.sensitive:
        console.print_table(_sensitive_table(made.sensitive))
    console.print_items([*([] if made.result is None else [_sentence(made.result)]),
                          f"Recipe: {'; '.join(made.recipe)}."])  # fmt: skip
    console.print_caveats(_left_out(made.left_out))
    console.print_files([made.path, *([tried] if tried else [])])


def _left_out(words: str) -> list[str]:
    return [f"Left out of the measurement: {words}"] if words else []


def _next_command(path: Path, options: QuantizeOptions) -> str:
    """Return what evaluates the file on the clips that accuracy was measured on, if it was."""
    words = ["serval", "evaluate", "-m", str(path)]
    if options.evaluation is not None:
        words += as_words({"-d": options.evaluation, **changed(options, LabelledOptions)})
    return shlex.join(words)


def _sentence(trial: Trial) -> str:
    found, judged = trial.measured, trial.measured.judged
    both = "" if judged is None else f"{_both(judged)}; "
    if found.ccc:
        said = f"{both}root mean square change of a value: {found.logit_error:.3g}"
    else:
        said = f"same emotion as FP32 on {same_in_words(found)}"
        nats = f"probabilities differ by {found.divergence:.4f} nats (KL)"
        said += f"; {both}{nats}" if both else f" of {trial.clips}"
    return as_sentence(said)


def _both(judged: Judged) -> str:
    """Return the scores of a file and of FP32; of accuracy the clips that both have right."""
    if judged.right is not None:
        reference, own = judged.right
        return f"right {counted(own, 'time')}, FP32 {counted(reference, 'time')}"
    told = judged.unit.told
    return f"{judged.score} {told(judged.b)}, FP32 {told(judged.a)}"


def _trial_table(trials: Sequence[Trial]) -> Table:
    """Return what was tried, at least one; points are those of the score that were won."""
    same = _same_title(trials[0].measured)
    table = narrow_table(["tried"], ["MB", "clips", same, "error", "points"])
    for trial in trials:
        found = trial.measured
        gained = "" if found.judged is None else points(-found.judged.drop / 100, sign=True)
        table.add_row(
            trial.what,
            f"{trial.size_bytes / 1e6:.2f}",
            str(found.clips),
            _same_cell(found),
            f"{found.logit_error:.3f}",
            gained,
        )
    return table


def _same_title(found: Fidelity) -> str:
    return "CCC with FP32" if found.ccc else "same %"


def _same_cell(found: Fidelity) -> str:
    """Return the share of equal answers; of dimensions the smallest CCC, a dash where none has."""
    if not found.ccc:
        return hundredths(found.agreement)
    known = [value for value in found.ccc.values() if not math.isnan(value)]
    return f"{min(known):.4f}" if known else "-"


def _sensitive_table(sensitive: Sequence[Sensitivity]) -> Table:
    """Return the error of each layer quantized alone, the most sensitive first."""
    table = narrow_table(["layer alone, the most sensitive first", "as"], ["logit error"])
    for one in sensitive[:MOST_LAYERS]:
        table.add_row(one.layer, one.precision, f"{one.logit_error:.4f}")
    rest = len(sensitive) - MOST_LAYERS
    if rest > 0:
        table.add_row(f"and {rest} more, in the file of what was tried", "", "")
    return table


def _show_comparison(model: str, output: Path, options: QuantizeOptions) -> None:
    comparison = compare_all(model, output, options, _tell)
    files = save_comparison(comparison, folder_beside(output))
    console, first = terminal(), comparison.variants[0].judged
    console.print_verdict(comparison_verdict(comparison))
    console.print_table(_comparison_table(console, comparison))
    console.print(
        f"{comparison.model} on {counted(comparison.variants[0].measured.clips, 'clip')} of "
        f"{comparison.clips}. Change: {first.score} minus that of FP32, with the 95 % interval"
        f"{first.unit.note}. Speed: "
        "all took turns; median against FP32. *: no other is as small, as fast and as accurate, "
        "and more than that in one, as far as the intervals show.",
        style="dim",
    )
    console.print_caveats(_left_out(comparison.left_out))
    made = [
        output.parent / variant.file
        for variant in comparison.variants[1:]
        if variant.runtime == "onnxruntime"
    ]
    console.print_files([*sorted(made, key=lambda path: path != output), *files.values()])
    console.print_next({"evaluate it": _next_command(output, options)})


def _comparison_table(console: Terminal, comparison: Variants) -> Table:
    wide = console.width >= WIDE
    first = comparison.variants[0]
    more = ["clips/s", "x default", _same_title(first.measured)] if wide else []
    table = narrow_table(["variant"], ["MB", "x FP32", *more, first.judged.title, "change"], "")
    for variant in comparison.variants:
        judged, same = variant.judged, _same_cell(variant.measured)
        extra = (f"{variant.clips_per_s:.1f}", _times(variant.against_default), same)
        table.add_row(
            variant.name,
            f"{variant.size_bytes / 1e6:.1f}",
            _times(variant.against_fp32) if wide else f"{variant.against_fp32.median:.2f}",
            *(extra if wide else ()),
            judged.unit.cell(judged.b),
            judged.unit.change(asdict(judged.change)),
            "*" if variant.pareto else "",
        )
    return table


def _times(ratio: Ratio) -> str:
    return f"{ratio.median:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
