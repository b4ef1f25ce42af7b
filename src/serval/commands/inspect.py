"""`serval inspect`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from serval.commands.terminal import narrow_table, print_json, terminal
from serval.inspection import Inspection, SizeComparison, inspect_model, size_comparison, web_faults
from serval.inspection.verdicts import MUCH_MB, TARGETS, WEB_RUNTIME
from serval.labels import unnamed
from serval.models.contract import Contract, Overrides
from serval.models.load import model_path
from serval.wording import as_sentence, counted, percent, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.table import Table

MOST_SAID = 300
"""Characters of what a file says of itself."""
MOST_OPS = 8
CLOSED = "does not run: ONNX Runtime cannot open it here either"


@click.command("inspect")
@click.argument("model")
@click.argument("other", required=False)
@click.option("--output-name", metavar="NAME",
              help="The model file's output with the scores, of several.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inspect_command(
    model: str, other: str | None, *, output_name: str | None, as_json: bool
) -> None:
    """Show what is in an ONNX file: size, contract, precision, what to expect of it.

    With a second file, the two are shown side by side.
    """
    stated = Overrides(output_name=output_name)
    inspections = [inspect_model(model_path(name), stated) for name in (model, other) if name]
    comparison = size_comparison(*inspections) if other else None
    if as_json:
        print_json(_document(inspections, comparison))
        return
    console = terminal()
    console.print_verdict([printable(_verdict(inspection)) for inspection in inspections])
    if comparison:
        console.print_verdict([f"{comparison.text}."])
    console.print(_table(inspections))
    for inspection in inspections:
        if other:
            console.print(f"{inspection.path.name}:")
        lines = [printable(as_sentence(verdict.text)) for verdict in inspection.verdicts]
        console.print_items(lines, len(lines))


def _verdict(inspection: Inspection) -> str:
    """Return what kind of file it is, in a sentence."""
    graph, contract = inspection.graph, inspection.contract
    main = max(graph.weight_shares, key=lambda kind: graph.weight_shares[kind], default="no")
    what = (
        f"{_gives(contract)} in audio of {contract.sample_rate / 1000:g} kHz"
        if contract
        else "is not one that serval can evaluate"
    )
    return (
        f"{inspection.path.name} {what}: {graph.size_bytes / 1e6:,.1f} MB, "
        f"{graph.parameters / 1e6:,.2f} M parameters, mostly {main} weights."
    )


def _gives(contract: Contract) -> str:
    n = len(contract.labels)
    if unnamed(contract.labels):
        return f"gives {counted(n, 'output')} without names"
    if not contract.asked.has_labels:
        return f"gives {counted(n, 'dimension')}"
    return f"names {counted(n, 'label')}"


def _document(
    inspections: list[Inspection], comparison: SizeComparison | None
) -> dict[str, object]:
    return {
        "models": [inspection.document for inspection in inspections],
        "comparison": asdict(comparison) if comparison else None,
    }


def _table(inspections: list[Inspection]) -> Table:
    table = narrow_table([], [], "")
    table.padding = (0, 1, 0, 0)
    columns = [dict(_cells(inspection)) for inspection in inspections]
    for inspection in inspections:
        table.add_column(inspection.path.name, overflow="fold")
    for key in columns[0] | columns[-1]:
        table.add_row(key, *(printable(column.get(key, "")) for column in columns))
    return table


def _cells(inspection: Inspection) -> Iterator[tuple[str, str]]:
    graph, contract, work = inspection.graph, inspection.contract, inspection.work
    yield "size", f"{graph.size_bytes / 1e6:,.1f} MB"
    yield "parameters", f"{graph.parameters / 1e6:,.2f} M"
    yield "weights", _percents(graph.weight_shares)
    if work:
        yield "work", f"{work.gmac_per_s:.2f} GMAC per second of audio ({work.clip_s:g} s clip)"
        yield "work runs in", _percents(work.shares)
        yield "work runs as", _percents(work.op_shares)
    if contract:
        yield "labels" if contract.asked.has_labels else "dimensions", ", ".join(contract.labels)
        yield (
            "input",
            f"{contract.sample_rate} Hz, normalize {contract.normalize}, {_length(inspection)}",
        )
        yield "attention mask", contract.mask_name or "none"
        yield "outputs", contract.outputs
    yield "operators", _counts(graph.ops)
    yield "opset", str(graph.opset)
    yield "in a browser", _in_browser(inspection)
    yield "on a phone", _on_phone(inspection)
    for key in ("source", "revision", "layers", "license"):
        if said := inspection.document["metadata"].get(key):
            yield key, said[:MOST_SAID]


def _in_browser(inspection: Inspection) -> str:
    if not inspection.opens:
        return CLOSED
    if web_faults(inspection.graph):
        return "does not run there, see below"
    size = inspection.graph.size_bytes / 1e6
    slow = ", much for a phone" if size > MUCH_MB else ""
    return f"runs in ONNX Runtime Web {WEB_RUNTIME}; {size:.1f} MB to load{slow}"


def _on_phone(inspection: Inspection) -> str:
    """Return what an app's ONNX Runtime does with the file, and what it can hand on."""
    if not inspection.opens:
        return CLOSED
    if faults := TARGETS["mobile"](inspection.graph):
        return f"it {faults[0]}"
    taken = [f"{name} takes {t.n} of {t.of} nodes" for name, t in inspection.phones.items()]
    return "; ".join(["runs in the full package of ONNX Runtime", *taken])


def _length(inspection: Inspection) -> str:
    contract = inspection.contract
    if contract is None or contract.static_samples is None:
        return f"up to {contract.max_seconds:g} s" if contract else ""
    return f"fixed {contract.static_samples} samples"


def _percents(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {percent(share, 1)}" for name, share in shares.items()) or "none"


def _counts(ops: Mapping[str, int]) -> str:
    shown = [f"{op} {n}" for op, n in list(ops.items())[:MOST_OPS]]
    rest = len(ops) - len(shown)
    return ", ".join(shown) + (f", {rest} more kinds" if rest > 0 else "")
