"""`serval bench`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from serval.bench import Bench, BenchOptions, bench, save_bench
from serval.commands.options import (
    Renamed,
    contract_options,
    dataset_option,
    reading_options,
)
from serval.commands.terminal import say, terminal
from serval.files import writing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serval.bench.browser import BrowserBench

__all__ = ["bench_command"]

DEFAULTS = BenchOptions()


@click.command("bench")
@click.option(
    "--model",
    "-m",
    "models",
    multiple=True,
    default=DEFAULTS.models,
    show_default=True,
    help="An .onnx file, a built-in name, or hf:ORG/NAME/FILE.onnx; give it again to compare.",
)
@click.option(
    "--runtime",
    "runtimes",
    cls=Renamed,
    was="--peer",
    multiple=True,
    metavar="NAME",
    help="A further runtime: openvino (the first model's file), or torch:CHECKPOINT_FOLDER.",
)
@dataset_option(help="Clips for the throughput; default: generated noise of 1 to 10 s.")
@reading_options
@contract_options
@click.option("--output", "-o", default=DEFAULTS.output, show_default=True, help="Results folder.")
@click.option("--quick", is_flag=True, help="Fewer durations and rounds.")
@click.option(
    "--import",
    "imported",
    multiple=True,
    metavar="FILE",
    help="What a page of serval web measured, to show beside this machine.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole document as JSON.")
def bench_command(*, as_json: bool, **flags: Any) -> None:  # noqa: ANN401 - click's flags
    """Measure how fast models are on this machine: latency, throughput, memory.

    All models take turns in every round, so that their ratios hold on a busy machine; a ratio
    smaller than the spread is not quoted.
    """  # fmt: skip
    options = BenchOptions(**flags)
    folder = Path(options.output)

    def watch(step: str) -> None:
        # Models and clips are open by now; minutes of measuring are not for a full disk.
        _refuse_unwritable(folder)
        say(f"measuring {step}", err=True)

    measured = bench(options, watch)
    files = save_bench(measured, folder)
    if as_json:
        click.echo(json.dumps(measured.as_dict(), indent=2))
        return
    console = terminal()
    console.print(_latency_table(measured))
    console.print(_throughput_table(measured))
    for browser in measured.imported:
        console.print(_browser_table(browser, measured))
        for line in _browser_lines(browser):
            console.print(f"  {line}", soft_wrap=True)
    for line in _lines(measured):
        console.print(f"  {line}", soft_wrap=True)
    for kind, path in files.items():
        console.print(f"  {kind:>16}  {path}", soft_wrap=True)


def _refuse_unwritable(folder: Path) -> None:
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def _latency_table(measured: Bench) -> Table:
    table = Table(title="latency in ms: one clip at a time, model only")
    table.add_column("model", overflow="fold", min_width=10)
    for column in ("thr", "s", "min", "p50", "p90", "p95", "p99", "spread", "n"):
        table.add_column(column, justify="right", no_wrap=True)
    for item in sorted(measured.latency, key=lambda item: (item.of.model, item.of.threads)):
        t = item.timing
        times = (t.min_s, t.p50_s, t.p90_s, t.p95_s, t.p99_s)
        cells = ("-" if s is None else f"{1000 * s:.1f}" for s in times)
        of = (item.of.model, str(item.of.threads), f"{item.of.seconds:g}")
        table.add_row(*of, *cells, f"{t.spread:.0%}", str(t.n))
    return table


def _throughput_table(measured: Bench) -> Table:
    table = Table(title=f"throughput: {measured.disclosure['throughput_clips']} clips, end to end")
    table.add_column("model", overflow="fold", min_width=10)
    for column in ("workers", "threads", "clips/s", "RTF", "RTFx", "spread", "n", "MB"):
        table.add_column(column, justify="right", no_wrap=True)
    for item in measured.throughput:
        peaks = measured.loading[item.of.model].peak_memory_by_setup_mb
        memory = peaks[f"{item.of.workers}x{item.of.threads}"]
        table.add_row(
            *(item.of.model, str(item.of.workers), str(item.of.threads)),
            *(f"{item.clips_per_s:.1f}", f"{item.rtf:.4f}", f"{item.rtfx:.1f}"),
            *(f"{item.timing.spread:.0%}", str(item.timing.n), f"{memory:.0f}"),
        )
    return table


def _browser_table(browser: BrowserBench, measured: Bench) -> Table:
    table = Table(title=f"latency in ms in a browser ({browser.path}), and here at the median")
    table.add_column("model", overflow="fold", min_width=10)
    for column in ("thr", "s", "p50", "p90", "p95", "RTF", "spread", "n", "here", "times"):
        table.add_column(column, justify="right", no_wrap=True)
    for item in sorted(browser.latency, key=lambda item: (item.model, item.threads)):
        t, here = item.timing, item.here(measured.latency, measured.facts)
        beside = ("-", "-") if here is None else (f"{1000 * here:.1f}", f"{t.p50_s / here:.2f}")
        table.add_row(
            *(item.model, str(item.threads), f"{item.seconds:g}"),
            *(f"{1000 * seconds:.1f}" for seconds in (t.p50_s, t.p90_s, t.p95_s)),
            *(f"{item.rtf:.4f}", f"{t.spread:.0%}", str(t.n), *beside),
        )
    return table


def _browser_lines(browser: BrowserBench) -> Iterator[str]:
    yield browser.where
    if browser.memory_mb is not None:
        yield f"memory of the page: {browser.memory_mb:.0f} MB"
    for what, ratios in browser.ratios.items():
        yield from (f"{what}: {ratio.sentence()}" for ratio in ratios)


def _lines(measured: Bench) -> list[str]:
    told = measured.disclosure
    loading = [
        f"{name}: opens in {cost.load_s:.2f} s, peak memory {cost.peak_memory_mb:.0f} MB "
        "with one worker and a clip of 10 s (MB above: with all workers)"
        for name, cost in measured.loading.items()
    ]
    loading += [
        f"{name}: {r.gmac_per_s:.1f} GMAC/s on the longest clip with 1 thread, {r.share:.0%} of "
        f"the {r.ceiling_gmac_per_s:.0f} that MatMuls of its types reach here"
        for name, r in measured.roofline.items()
    ]
    ratios = [
        f"{what}: {ratio.sentence()}"
        for what, compared in measured.ratios.items()
        for ratio in compared
    ]
    warm_up = ", ".join(f"{n} for {what}" for what, n in told["warm_up_rounds"].items())
    machine = (
        f"{told['processor']}, {told['cores']} cores, {' '.join(told['instruction_sets'])}; "
        f"onnxruntime {told['packages']['onnxruntime']}, {told['provider']}, "
        f"batch {told['batch']}, warm-up rounds: {warm_up}; "
        f"load average {told['load_average']}"
    )
    return [*loading, *ratios, machine]
