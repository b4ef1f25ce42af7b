"""`serval models`: what is built in, and what a checkpoint is and whether its head was trained."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from serval.commands.options import contract_options
from serval.commands.terminal import print_json, terminal
from serval.errors import ConfigError
from serval.models.load import BUILTIN_MODELS, USUAL, what_is_meant
from serval.models.options import ModelOptions, overrides_of
from serval.wording import counted, percent, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from serval.checkpoints.checkpoint import Checkpoint
    from serval.models.contract import Contract

DOUBTFUL = 1
"""Exit code of a check that found a head which was, or may be, not trained."""


@click.group("models", invoke_without_command=True)
@click.pass_context
def models_command(context: click.Context) -> None:
    """List the models that are built in; `models check` looks at a checkpoint's head."""
    if context.invoked_subcommand is not None:
        return
    console = terminal()
    for model in BUILTIN_MODELS:
        console.print_verdict([f"{model.name}: {model.what}."])
        size = f"{model.path.stat().st_size / 1e6:.1f} MB"
        console.print_facts({"size": size, "licence": model.licence, "from": model.origin})
    console.print(
        "Also: any .onnx speech classifier, a checkpoint's folder, hf:ORG/NAME, or "
        "python:FILE.py:NAME; serval models check says whether a checkpoint's head was trained."
    )


@models_command.command("check", short_help="Say whether a checkpoint's head was trained.")
@click.argument("model")
@contract_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check_command(model: str, *, as_json: bool, **flags: Any) -> None:  # noqa: ANN401 - click's flags
    """Say what a checkpoint is, how serval reads it, and whether its head was trained.

    MODEL is a folder, or hf:ORG/NAME[@REVISION].

    Exit codes: 0 its head was trained; 1 it was not, or there is doubt; 2 it cannot be read.
    """
    document = _checked(model, ModelOptions(**flags))
    if as_json:
        print_json(document)
    else:
        _show(document)
    sys.exit(0 if document["head"]["verdict"] == "trained" else DOUBTFUL)


def _checked(name: str, options: ModelOptions) -> dict[str, Any]:
    """Return what is known of a checkpoint, in plain JSON types."""
    runtime, note = what_is_meant(name, USUAL)
    if runtime != "torch" and not note:
        raise ConfigError(
            f"{printable(name)[:200]} is no checkpoint, neither a folder with weights nor "
            "hf:ORG/NAME; of an .onnx file serval inspect shows what is in it, and no head can be "
            "told from the rest of its graph"
        )
    from serval.checkpoints.check import head_check
    from serval.models.torch import declared_of, open_named

    stated = overrides_of(options)
    checkpoint = open_named(name, stated)
    facts = _facts(checkpoint, declared_of(checkpoint, stated))
    return facts | {"head": head_check(checkpoint).facts}


def _facts(checkpoint: Checkpoint, declared: Contract) -> dict[str, Any]:
    sources = {**checkpoint.sources, **declared.sources}
    return {
        "name": checkpoint.source,
        "revision": checkpoint.revision,
        "family": checkpoint.family,
        "layers": checkpoint.layers,
        "task": declared.task,
        "labels": list(declared.labels),
        "sample_rate": declared.sample_rate,
        "normalize": declared.normalize,
        "scale": declared.scale,
        "front_end": _first_line(checkpoint.front_end) if checkpoint.front_end else "",
        "max_seconds": None if sources["max_seconds"] == "default" else declared.max_seconds,
        "licence": checkpoint.licence,
        "files": {file.name: file.stat().st_size for file in checkpoint.files},
        "sources": sources,
    }


def _first_line(documented: object) -> str:
    return (type(documented).__doc__ or "").split("\n", 1)[0]


def _show(document: Mapping[str, Any]) -> None:
    table = Table(show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for key, value in _rows(document):
        table.add_row(key, printable(value))
    console, head = terminal(), document["head"]
    console.print(table)
    if head["fresh"]:
        console.print(printable(f"Its head was never trained: {head['fresh']}."), soft_wrap=True)
    for doubt in head["doubts"]:
        console.print(printable(doubt), soft_wrap=True)
    if head["verdict"] == "trained":
        console.print("Its head was trained, as far as weights and answers tell.")


def _rows(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    said, head = document["sources"], document["head"]
    yield "checkpoint", f"{document['name']} {document['revision']}".strip()
    yield "encoder", f"{document['family']}, {counted(document['layers'], 'layer')}"
    yield "head", head["head"]
    yield "outputs", f"{document['task']} {document['scale']}".strip()
    yield "labels", f"{', '.join(document['labels'])} [{said['labels']}]"
    yield "sample rate", f"{document['sample_rate']} Hz [{said['sample_rate']}]"
    yield "waveform", f"normalize {document['normalize']} [{said['normalize']}]"
    if document["front_end"]:
        yield "front end", document["front_end"]
    if document["max_seconds"]:
        yield "clips", f"up to {document['max_seconds']:g} s"
    for name, size in document["files"].items():
        yield "weights", f"{name}, {size / 1e6:,.1f} MB"
    if document["licence"]:
        yield "licence", document["licence"]
    yield "verdict", f"{head['verdict']}; noise, silence, voice differ by {percent(head['spread'])}"
