"""`serval predict`."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from serval.commands.options import contract_options
from serval.commands.terminal import say, terminal
from serval.machine import available_cores
from serval.models.load import load_model
from serval.models.options import ModelOptions, overrides_of
from serval.predict import infer
from serval.records import Clip, Failure, Prediction, Record
from serval.wording import csv_cell, printable

__all__ = ["predict_command"]


@click.command("predict")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", "-m", default="serval-tiny", show_default=True,
              help="An .onnx file, a built-in name, or hf:ORG/NAME/FILE.onnx.")  # fmt: skip
@contract_options
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
def predict_command(files: tuple[Path, ...], model: str, form: str | None, **flags: Any) -> None:  # noqa: ANN401 - click's flags
    """Name the emotion in single audio files.

    Exit code 3 if a file could not be used; the others are printed all the same.
    """
    classifier = load_model(model, overrides_of(ModelOptions(**flags)))
    for warning in classifier.facts.get("warnings", ()):
        say(f"serval: {printable(warning)}", err=True)
    clips = (Clip(id=str(path), index=i, label="", audio=path) for i, path in enumerate(files))
    records = list(infer(classifier, clips, workers=min(len(files), available_cores())))
    write = {"json": _print_json, "csv": _print_csv}.get(form or "", _print_table)
    write(records, classifier.labels)
    failures = [record for record in records if isinstance(record, Failure)]
    for failure in failures:
        say(f"serval: {failure.clip_id}: {failure.stage}: {failure.reason}", err=True)
    if failures:
        sys.exit(3)


def _print_json(records: list[Record], labels: tuple[str, ...]) -> None:
    click.echo(json.dumps([_row(record, labels) for record in records], indent=2))


def _print_csv(records: list[Record], labels: tuple[str, ...]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    columns = ("file", "emotion", "confidence", "duration_s", *labels, "failure")
    writer.writerow([csv_cell(name) for name in columns])
    for record in records:
        row = _row(record, labels)
        probs = row["probabilities"] or dict.fromkeys(labels, "")
        texts = {key: csv_cell(row[key] or "") for key in ("file", "emotion", "failure")}
        numbers = (row["confidence"], row["duration_s"], *probs.values())
        writer.writerow([texts["file"], texts["emotion"], *numbers, texts["failure"]])


def _print_table(records: list[Record], labels: tuple[str, ...]) -> None:
    """Print the most likely emotion of each file and the two that follow; --json has them all."""
    table = Table()
    table.add_column("file", overflow="fold", min_width=16)
    table.add_column("emotion", no_wrap=True)
    table.add_column("confidence", justify="right", no_wrap=True)
    table.add_column("then", no_wrap=True)
    for record in records:
        if isinstance(record, Prediction):
            ranked = sorted(zip(record.probs, labels, strict=True), reverse=True)
            then = ", ".join(f"{label} {p:.0%}" for p, label in ranked[1:3])
            texts = (record.clip_id, record.predicted, f"{max(record.probs):.1%}", then)
            table.add_row(*texts)
    if table.row_count:
        terminal().print(table)


def _row(record: Record, labels: tuple[str, ...]) -> dict[str, Any]:
    if isinstance(record, Failure):
        empty = dict.fromkeys(("emotion", "confidence", "duration_s", "probabilities"))
        return {"file": record.clip_id, **empty, "failure": f"{record.stage}: {record.reason}"}
    return {
        "file": record.clip_id,
        "emotion": record.predicted,
        "confidence": max(record.probs),
        "duration_s": record.duration_s,
        "probabilities": dict(zip(labels, record.probs, strict=True)),
        "failure": None,
    }
