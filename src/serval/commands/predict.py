"""`serval predict`."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa
import pyarrow.parquet as pq
from rich.text import Text

from serval.commands.live import show_microphone
from serval.commands.options import MODEL_HELP, inference_options
from serval.commands.sets import print_sets, set_content
from serval.commands.terminal import narrow_table, print_table, print_verdict, say, terminal
from serval.commands.values import print_values, value_content
from serval.commands.windows import (
    Told,
    heard_in_windows,
    refuse_unknown_form,
    show_windows,
    write_windows,
)
from serval.datasets.layout import is_audio
from serval.datasets.listing import listing_of_folder
from serval.errors import ConfigError
from serval.files import is_file, is_folder, names_beside, write_bytes
from serval.machine import available_cores
from serval.models.load import load_as_stated
from serval.models.options import InferenceOptions
from serval.models.windowed import Windowed
from serval.predict import infer
from serval.records import Clip, Failure, Prediction, Record
from serval.wording import counted, csv_cell, did_you_mean, percent, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from serval.models.protocol import Model

    Write = Callable[[list[Record], tuple[str, ...]], None]

__all__ = ["predict_command"]

NAME_COLUMNS = 20
BAR_COLUMNS = 48
"""For the name of an emotion and its bar: with the number between, 60 columns hold both."""

MOST_BARS = 24

REMEDIES = {
    "read": "fetch or record it again",
    "decode": "fetch or record it again, or convert it: ffmpeg -i FILE new.wav",
}
"""What may help where a file cannot be used, by the stage at which that was found."""

WIDE = 72
"""Columns that hold the emotions that follow, too."""


@click.command("predict")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--model", "-m", default="serval-tiny", show_default=True,
              help=MODEL_HELP)  # fmt: skip
@inference_options
@click.option("--microphone", is_flag=True,
              help="Listen, until Ctrl-C; needs pip install 'serval-ser[live]'.")  # fmt: skip
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="FILE",
              help="Write a .csv, .json or .parquet file; with --window also .png.")  # fmt: skip
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
def predict_command(
    files: tuple[Path, ...],
    model: str,
    form: str | None,
    output: Path | None,
    *,
    microphone: bool,
    **flags: Any,  # noqa: ANN401 - click's flags
) -> None:
    """Name the emotion in audio files, and in those of folders, or in what the microphone hears.

    Of a model of dimensions, such as arousal and valence, the values are shown with their scale; of
    one that may hear several emotions at once, each with a score of 0.5 or more.

    One file is shown as a bar for each emotion, several as a table.

    With --window, emotions over time: serval predict --window 3 --hop 1 call.wav

    Exit code 3 if a file could not be used; the others are printed all the same.
    """
    options = InferenceOptions(**flags)
    _refuse_both(files, microphone=microphone, is_written=bool(output or form))
    if microphone:
        show_microphone(model, options)
        return
    files = tuple(_sound_files(files))
    if options.window is not None and output is not None:
        refuse_unknown_form(output, len(files))
    write = _writer(output if options.window is None else None, form)
    classifier = load_as_stated(model, options)
    write = _writer_of_task(classifier, options, output, form) or write
    for warning in classifier.facts.get("warnings", ()):
        say(f"serval: {printable(warning)}", err=True)
    clips = (Clip(id=str(path), index=i, label="", audio=path) for i, path in enumerate(files))
    workers = min(len(files), available_cores())
    if isinstance(classifier, Windowed):
        told = heard_in_windows(classifier, clips, workers)
        records = [one.record for one in told]
        _tell_windows(classifier, told, output, form)
    else:
        records = list(infer(classifier, clips, workers=workers))
        write(records, classifier.labels)
    failures = [record for record in records if isinstance(record, Failure)]
    for failure in failures:
        say(f"serval: {failure.clip_id}: {failure.stage}: {_with_remedy(failure)}", err=True)
    if failures:
        sys.exit(3)


def _with_remedy(failure: Failure) -> str:
    """Return why a file was not predicted, and what its owner may do."""
    name = failure.clip_id
    if failure.stage == "read" and not is_file(name):
        like = did_you_mean(Path(name).name, names_beside(name))
        return f"{failure.reason}{like or '; name a file that is there'}"
    remedy = REMEDIES.get(failure.stage)
    return f"{failure.reason}; {remedy}" if remedy else failure.reason


def _refuse_both(files: tuple[Path, ...], *, microphone: bool, is_written: bool) -> None:
    if microphone == bool(files):
        raise click.UsageError("name files or folders, or listen with --microphone, one of them")
    if microphone and is_written:
        raise click.UsageError("--microphone prints a line for each window, and writes no file")


def _tell_windows(model: Windowed, told: list[Told], output: Path | None, form: str | None) -> None:
    if output is None:
        show_windows(told, form)
        return
    window = model.window
    title = f"{model.facts['name']}, windows of {window.seconds:g} s every {window.hop_s:g} s"
    if written := write_windows(told, title, output):
        say(written)


def _sound_files(given: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that were named, and of folders every audio file below, by name.

    Raises:
        ConfigError: A folder holds no audio file.
    """
    for path in given:
        if not is_folder(path):
            yield path
            continue
        found = [name for name in listing_of_folder(path).files if is_audio(name)]
        if not found:
            raise ConfigError(f"there is no audio file below {path}; name the files themselves")
        yield from (path / name for name in found)


def _writer(output: Path | None, form: str | None) -> Write:
    """Return what shows or writes the records.

    Raises:
        ConfigError: The name of the file ends in no known form.
    """
    if output is None:
        return {"json": _print_json, "csv": _print_csv}.get(form or "", _print_for_people)
    known: dict[str, Callable[[list[Record], tuple[str, ...]], bytes]] = {
        ".csv": lambda *told: _csv_text(*told).encode("utf-8", "replace"),
        ".json": lambda *told: f"{_json_text(*told)}\n".encode("utf-8", "backslashreplace"),
        ".parquet": _parquet_bytes,
    }
    if output.suffix.lower() not in known:
        raise ConfigError(f"--output {output} ends in no form; known: {', '.join(known)}")
    content = known[output.suffix.lower()]

    def write(records: list[Record], labels: tuple[str, ...]) -> None:
        say(write_bytes(output, content(records, labels)))

    return write


def _writer_of_task(
    model: Model, options: InferenceOptions, output: Path | None, form: str | None
) -> Write | None:
    """Return what shows or writes anything but one emotion a file; `None` for that.

    Raises:
        ConfigError: Values of dimensions are asked for over time.
    """
    if model.contract.task == "dimensions":
        return _value_writer(model, options, output, form)
    several = model.contract.task == "emotions, several at once"
    return _set_writer(output, form) if several and options.window is None else None


def _value_writer(
    model: Model, options: InferenceOptions, output: Path | None, form: str | None
) -> Write:
    """Return what shows or writes values of dimensions.

    Raises:
        ConfigError: They are asked for over time.
    """
    if options.window is not None:
        raise ConfigError(
            "--window shows emotions over time, and this is a model of dimensions "
            f"({', '.join(model.labels)}); leave --window out for one value a file"
        )
    scale = model.contract.scale

    def write(records: list[Record], names: tuple[str, ...]) -> None:
        if output is not None:
            wanted = output.suffix.lower().removeprefix(".")
            say(write_bytes(output, value_content(records, names, scale, wanted)))
        elif form is not None:
            click.echo(value_content(records, names, scale, form).decode(), nl=False)
        else:
            print_values(records, names, scale)

    return write


def _set_writer(output: Path | None, form: str | None) -> Write:
    """Return what shows or writes several emotions a file; `_writer` knows the forms."""

    def write(records: list[Record], labels: tuple[str, ...]) -> None:
        if output is not None:
            wanted = output.suffix.lower().removeprefix(".")
            say(write_bytes(output, set_content(records, labels, wanted)))
        elif form is not None:
            click.echo(set_content(records, labels, form).decode(), nl=False)
        else:
            print_sets(records, labels)

    return write


def _print_for_people(records: list[Record], labels: tuple[str, ...]) -> None:
    if len(records) == 1 and isinstance(records[0], Prediction):
        _print_bars(records[0], labels)
    else:
        _print_table(records, labels)


def _print_bars(record: Prediction, labels: tuple[str, ...]) -> None:
    """Print a bar for each emotion, the most likely first, within 60 columns."""
    console = terminal()
    head = f"{record.clip_id}: {record.predicted}, {percent(max(record.probs), 0)}"
    console.print(head, style="bold", soft_wrap=True)
    names = [name if len(name) <= NAME_COLUMNS else f"{name[: NAME_COLUMNS - 3]}..." for name in
             map(printable, labels)]  # fmt: skip
    width = max(map(len, names))
    ranked = sorted(zip(record.probs, names, strict=True), key=lambda pair: -pair[0])
    for share, name in ranked[:MOST_BARS]:
        bar = "\N{FULL BLOCK}" * round(share * (BAR_COLUMNS - width))
        console.print(f"{name:<{width}} {percent(share, 1):>7} {bar}".rstrip())
    for note in record.notes:
        console.print(f"- {note}")


def _parquet_bytes(records: list[Record], labels: tuple[str, ...]) -> bytes:
    rows = []
    for record in records:
        row = _row(record, labels)
        probs = row.pop("probabilities") or dict.fromkeys(labels)
        rows.append(row | {f"prob_{label}": probs[label] for label in labels})
    names = [("file", pa.string()), ("emotion", pa.string()), ("confidence", pa.float64()),
             ("duration_s", pa.float64()), ("failure", pa.string())]  # fmt: skip
    schema = pa.schema([*names, *((f"prob_{label}", pa.float64()) for label in labels)])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer)
    return buffer.getvalue()


def _print_json(records: list[Record], labels: tuple[str, ...]) -> None:
    click.echo(_json_text(records, labels))


def _json_text(records: list[Record], labels: tuple[str, ...]) -> str:
    return json.dumps([_row(record, labels) for record in records], indent=2)


def _print_csv(records: list[Record], labels: tuple[str, ...]) -> None:
    click.echo(_csv_text(records, labels), nl=False)


def _csv_text(records: list[Record], labels: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ("file", "emotion", "confidence", "duration_s", *labels, "failure")
    writer.writerow([csv_cell(name) for name in columns])
    for record in records:
        row = _row(record, labels)
        probs = row["probabilities"] or dict.fromkeys(labels, "")
        texts = {key: csv_cell(row[key] or "") for key in ("file", "emotion", "failure")}
        numbers = (row["confidence"], row["duration_s"], *probs.values())
        writer.writerow([texts["file"], texts["emotion"], *numbers, texts["failure"]])
    return text.getvalue()


def _print_table(records: list[Record], labels: tuple[str, ...]) -> None:
    """Print how many files have which emotion, and of each the most likely; --json has all."""
    named = [record for record in records if isinstance(record, Prediction)]
    if not named:
        return
    console = terminal()
    counts = Counter(record.predicted for record in named)
    said = ", ".join(f"{n:,} {label}" for label, n in counts.most_common())
    print_verdict(console, [f"{counted(len(named), 'file')}: {said}."])
    table = narrow_table(
        ["file", "emotion"], ["sure"], *(["then"] if console.width >= WIDE else [])
    )
    for record in named:
        ranked = sorted(zip(record.probs, labels, strict=True), reverse=True)
        then = ", ".join(f"{label} {percent(p, 0)}" for p, label in ranked[1:3])
        cells = (record.clip_id, record.predicted, percent(max(record.probs), 1), then)
        table.add_row(*map(Text, cells[: len(table.columns)]))
    print_table(console, table)


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
