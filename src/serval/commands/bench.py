"""`serval bench`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from serval.bench import Bench, BenchOptions, bench, bench_verdict, save_bench
from serval.commands.options import (
    Renamed,
    contract_options,
    dataset_option,
    picture_option,
    reading_options,
)
from serval.commands.terminal import Terminal, narrow_table, print_json, say, terminal
from serval.files import writing
from serval.wording import counted, left_out_sentences, percent, printable

if TYPE_CHECKING:
    from rich.table import Table

    from serval.bench.browser import Timed
    from serval.bench.speed import Reached

DEFAULTS = BenchOptions()

SAID = "latency, threads 1"
"""What the verdict tells already."""

WIDE = 80
"""Columns that hold more percentiles, too."""


@click.command("bench")
@click.option("--model", "-m", "models", multiple=True, default=DEFAULTS.models, show_default=True,
              help="An .onnx file, a built-in name, or hf:ORG/NAME/FILE.onnx; give it again to "
              "compare.")  # fmt: skip
@click.option("--runtime", "runtimes", cls=Renamed, was="--peer", multiple=True, metavar="NAME",
              help="A further runtime: openvino (the first model's file), or "
              "torch:CHECKPOINT_FOLDER.")  # fmt: skip
@dataset_option(help="Clips for the throughput; default: generated noise of 1 to 10 s.")
@reading_options
@contract_options
@click.option("--output", "-o", default=DEFAULTS.output, show_default=True, help="Results folder.")
@click.option("--quick", is_flag=True, help="Fewer durations and rounds.")
@click.option("--import", "imported", multiple=True, metavar="FILE",
              help="What a page of serval web measured, to show beside this machine; or its QR "
              "code's text.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the whole document as JSON.")
@picture_option()
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
        print_json(measured.as_dict())
        return
    console = terminal()
    console.print_verdict(bench_verdict(measured))
    console.print_table(_latency_table(console, measured))
    console.print_table(_throughput_table(console, measured))
    for browser in measured.imported:
        console.print_table(_browser_table(console, browser, measured))
        console.print_items(_browser_lines(browser))
    console.print(_machine_line(measured), style="dim")
    console.print_items(_lines(measured))
    console.print_caveats(left_out_sentences(measured.disclosure["left_out"]))
    console.print_files(files.values())


def _refuse_unwritable(folder: Path) -> None:
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def _latency_table(console: Terminal, measured: Bench) -> Table:
    wide = console.width >= WIDE
    more = ["min", "p95", "p99"] if wide else []
    table = narrow_table(["latency of"], ["threads", "s", "p50 ms", "p90", *more, "spread", "n"])
    for item in sorted(measured.latency, key=lambda item: (item.of.model, item.of.threads)):
        t = item.timing
        names = ("p50_s", "p90_s", *(("min_s", "p95_s", "p99_s") if wide else ()))
        times = (t.told(name) for name in names)
        cells = map(_ms, times)
        of = (item.of.model, str(item.of.threads), f"{item.of.seconds:g}")
        table.add_row(*of, *cells, percent(t.spread, 0), str(t.n))
    return table


def _ms(seconds: float | None) -> str:
    """Return milliseconds, or a dash where there were too few calls for such a quantile."""
    return "-" if seconds is None else f"{1000 * seconds:.1f}"


def _throughput_table(console: Terminal, measured: Bench) -> Table:
    wide = console.width >= WIDE
    more = ["RTF", "n"] if wide else []
    table = narrow_table(
        ["throughput of"], ["workers", "threads", "clips/s", "RTFx", *more, "spread", "MB"]
    )
    for item in measured.throughput:
        peaks = measured.loading[item.of.model].peak_memory_by_setup_mb
        memory = peaks[f"{item.of.workers}x{item.of.threads}"]
        table.add_row(
            *(item.of.model, str(item.of.workers), str(item.of.threads)),
            *(f"{item.clips_per_s:.1f}", f"{item.rtfx:.1f}"),
            *((f"{item.rtf:.4f}", str(item.timing.n)) if wide else ()),
            *(percent(item.timing.spread, 0), f"{memory:.0f}"),
        )
    return table


def _browser_table(console: Terminal, browser: Timed, measured: Bench) -> Table:
    """Return what a page measured, with this machine's median for the same file and clip."""
    wide = console.width >= WIDE
    more = ["p95", "RTF"] if wide else []
    titles = ["threads", "s", "p50 ms", "p90", *more, "spread", "n", "here ms", "times"]
    table = narrow_table(["in a browser"], titles)
    for item in sorted(browser.latency, key=lambda item: (item.model, item.threads)):
        t, here = item.timing, item.here(measured.latency, measured.facts)
        beside = ("-", "-") if here is None else (f"{1000 * here:.1f}", f"{t.p50_s / here:.2f}")
        table.add_row(
            *(item.model, item.computed_by, f"{item.seconds:g}"),
            *(_ms(t.told(name)) for name in ("p50_s", "p90_s")),
            *((_ms(t.told("p95_s")), f"{item.rtf:.4f}") if wide else ()),
            *(percent(t.spread, 0), str(t.n), *beside),
        )
    return table


def _browser_lines(browser: Timed) -> list[str]:
    memory = browser.memory_mb
    ratios = [f"{what}: {each.sentence()}." for what, of in browser.ratios.items() for each in of]
    page = [] if memory is None else [f"Memory of the page: {memory:.0f} MB."]
    return [f"{printable(browser.source)}: {browser.where}.", *page, *ratios]


def _lines(measured: Bench) -> list[str]:
    loading = [
        f"{name}: opens in {cost.load_s:.2f} s, peak memory {cost.peak_memory_mb:.0f} MB "
        f"with one worker and a clip of {cost.clip_s:g} s (MB above: with all workers)."
        for name, cost in measured.loading.items()
    ]
    loading += [f"{name}: {_reached(r)}." for name, r in measured.roofline.items()]
    ratios = [
        f"{what[:1].upper()}{what[1:]}: {ratio.sentence()}."
        for what, compared in measured.ratios.items()
        if what != SAID
        for ratio in compared
    ]
    return [*loading, *ratios]


def _reached(found: Reached) -> str:
    rate = f"{found.gmac_per_s:.1f} GMAC/s on the longest clip with 1 thread"
    if found.share is None or found.ceiling_gmac_per_s is None:
        return f"{rate}; no ceiling, since MatMuls alone were slower when they were measured"
    return (
        f"{rate}, {percent(found.share, 0)} of the {found.ceiling_gmac_per_s:.0f} that MatMuls of "
        "its types reach here"
    )


def _machine_line(measured: Bench) -> str:
    told = measured.disclosure
    warm_up = ", ".join(f"{n} for {what}" for what, n in told["warm_up_rounds"].items())
    return (
        f"Latency: one clip at a time, model only. Throughput: "
        f"{counted(told['throughput_clips'], 'clip')}, end to end. {told['processor']}, "
        f"{counted(told['cores'], 'core')}, {' '.join(told['instruction_sets'])}; onnxruntime "
        f"{told['packages']['onnxruntime']}, {told['provider']}, batch {told['batch']}, warm-up "
        f"rounds: {warm_up}; load average {told['load_average']}."
    )
