"""`serval probe`."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from serval.commands.options import (
    MODEL_HELP,
    contract_options,
    dataset_option,
    engine_options,
    failures_option,
    label_options,
    quiet_option,
    reading_options,
)
from serval.commands.progress import shown_progress
from serval.commands.terminal import Terminal, narrow_table, say, say_failures, terminal
from serval.evaluation import too_many_failures
from serval.probe import COSTS, HEADS, POOLINGS, ProbeOptions, cost_cells, probe, probe_verdict
from serval.run import JOURNAL, load_run
from serval.wording import counted, hundredths, points

if TYPE_CHECKING:
    from serval.probe import CrossValidated, LayerProbe, Probe

DEFAULTS = ProbeOptions()


@click.command("probe")
@click.option("--model", "-m", default=DEFAULTS.model, show_default=True, help=MODEL_HELP)
@dataset_option(default=DEFAULTS.dataset, show_default=True)
@click.option("--folds", default=DEFAULTS.folds, show_default=True, metavar="TEXT",
              help="published (the set's own), speaker:K, or a fold list.")  # fmt: skip
@click.option("--layer", default=DEFAULTS.layer, show_default=True, metavar="TEXT",
              help="last, all, weighted (their sum), pooled, a number, or a tensor.")  # fmt: skip
@click.option("--pool", type=click.Choice(POOLINGS), default=DEFAULTS.pool, show_default=True,
              help="Over time.")  # fmt: skip
@click.option("--head", type=click.Choice(list(HEADS)), default=DEFAULTS.head, show_default=True,
              help="ridge: of dimensions such as arousal.")  # fmt: skip
@click.option("--class-weight", type=click.Choice(["balanced", "none"]),
              default=DEFAULTS.class_weight, show_default=True,
              help="balanced: each label weighs alike.")  # fmt: skip
@click.option("--shared-speakers", is_flag=True,
              help="Cross-validate with shared speakers too: what does that add?")  # fmt: skip
@click.option("--save", metavar="FILE",
              help="Train on all clips, and write encoder and head as one .onnx file.")  # fmt: skip
@click.option("--cost", is_flag=True,
              help="Measure parameters, MB, and ms for 3 s, up to each layer.")  # fmt: skip
@reading_options
@label_options
@contract_options
@engine_options
@failures_option
@click.option("--output", "-o", default=DEFAULTS.output, show_default=True,
              help="Folder of features, runs and probe.json.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Start the runs over; features are kept.")
@quiet_option("No progress, no table.")
@click.option("--json", "as_json", is_flag=True, help="Print the content of probe.json.")
def probe_command(*, quiet: bool, as_json: bool, **flags: Any) -> None:  # noqa: ANN401 - click's flags
    """Train small heads on an encoder, cross-validated with speakers kept apart.

    The features of a clip are computed once and kept. Each level of the encoder becomes a stored
    run of out-of-fold predictions, which compare, report, gate and score take.

    Needs the extra: pip install 'serval-ser[probe]'

    Exit codes: 0 done; 2 something is wrong with the command, the model or the dataset; 3 more
    clips failed than --max-failures.
    """
    options = ProbeOptions(**flags)
    with shown_progress(quiet=quiet) as show:
        found = probe(options, show)
    if as_json:
        click.echo((Path(options.output) / "probe.json").read_text(encoding="utf-8"), nl=False)
    elif not quiet:
        _print(terminal(), found, options)
    run = load_run(found.layers[0].apart.folder)
    if too_many_failures(run, options.max_failures):
        say_failures(run, options.max_failures, run.folder / JOURNAL)
        sys.exit(3)


def _print(console: Terminal, found: Probe, options: ProbeOptions) -> None:
    console.print_verdict(probe_verdict(found))
    shares = any(layer.shared for layer in found.layers)
    more = ["shared", "it adds"] if shares else []
    more += list(COSTS) if options.cost else []
    title = found.score.upper()
    table = narrow_table(["layer"], ["features", title, "95 %", "folds: mean ± sd", *more])
    table.padding = (0, 1, 0, 0)
    for layer in found.layers:
        table.add_row(
            layer.name,
            f"{layer.features:,}",
            *_cells(layer.apart),
            *_added(layer),
            *(cost_cells(layer.cost) if options.cost else ()),
        )
    console.print(table)
    console.print_caveats(found.notes)
    took, heads = found.seconds["features"], found.seconds["heads"]
    console.print(
        f"{counted(found.clips, 'clip')}: features {took:.1f} s, heads {heads:.1f} s, "
        f"{found.memory_mb:,.0f} MB at most"
    )
    console.print_files(found.files)
    folder = quote(str(found.layers[0].apart.folder))
    say(f"Next: serval report {folder} -o report.html")
    if options.save:
        say(f"      serval evaluate -m {quote(options.save)} -d ANOTHER_SET")


def _cells(own: CrossValidated) -> tuple[str, str, str]:
    score, folds = own.score, own.by_fold
    return (
        hundredths(score.value),
        f"{hundredths(score.low)} to {hundredths(score.high)}",
        f"{hundredths(folds.mean)} ± {hundredths(folds.deviation)}",
    )


def _added(layer: LayerProbe) -> tuple[str, ...]:
    if layer.shared is None or layer.leak is None:
        return ()
    gap = layer.leak
    low, high = points(gap.low, sign=True), points(gap.high, sign=True)
    return (
        hundredths(layer.shared.score.value),
        f"{points(gap.value, sign=True)} [{low}, {high}]",
    )
