"""`serval predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from serval.audio import address_in
from serval.commands.answers import content, form_of, print_emotions, print_sets, print_values
from serval.commands.live import show_microphone
from serval.commands.options import MODEL_HELP, inference_options
from serval.commands.terminal import say
from serval.commands.windows import (
    Told,
    heard_in_windows,
    refuse_unknown_form,
    show_windows,
    write_windows,
)
from serval.datasets.layout import is_audio
from serval.datasets.listing import is_hidden, listing_of_folder
from serval.errors import ConfigError
from serval.files import is_file, is_folder, names_beside, write_bytes
from serval.machine import available_cores
from serval.models.contract import cut_sentences
from serval.models.load import load_as_stated
from serval.models.options import InferenceOptions
from serval.models.windowed import Windowed
from serval.predict import infer
from serval.records import Clip, Failure, Prediction, Record
from serval.tasks import CATEGORICAL, DIMENSIONAL, MULTILABEL
from serval.wording import counted, did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from serval.models.contract import Contract
    from serval.models.protocol import Model
    from serval.tasks import Task


REMEDIES = {
    "read": "fetch or record it again",
    "decode": "fetch or record it again, or convert it: ffmpeg -i FILE new.wav",
}
"""What may help where a file cannot be used, by the stage at which that was found."""


@click.command("predict")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--model", "-m", default="serval-tiny", show_default=True,
              help=MODEL_HELP)  # fmt: skip
@inference_options
@click.option("--microphone", is_flag=True,
              help="Listen, until Ctrl-C; needs pip install 'serval-ser[live]'.")  # fmt: skip
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="FILE",
              help="Write a .csv, .json or .parquet file; with --window also .png.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
def predict_command(
    files: tuple[Path, ...],
    model: str,
    output: Path | None,
    *,
    as_json: bool,
    as_csv: bool,
    microphone: bool,
    **flags: Any,  # noqa: ANN401 - click's flags
) -> None:
    """Name the emotion in audio files, and in those of folders, or in what the microphone hears.

    Of a model of dimensions, such as arousal and valence, the values are shown with their scale; of
    one that may hear several emotions at once, each with a score of 0.5 or more.

    One file is shown as a bar for each emotion, several as a table.

    With --window, emotions or values over time: serval predict --window 3 --hop 1 call.wav

    Exit code 3 if a file could not be used; the others are printed all the same.
    """
    options = InferenceOptions(**flags)
    form = _form(output, as_json=as_json, as_csv=as_csv)
    _refuse_both(files, microphone=microphone, is_written=bool(output or form))
    if microphone:
        show_microphone(model, options)
        return
    files = tuple(_sound_files(files))
    if output is not None:
        _refuse_form(output, options, len(files))
    failures = _told(_opened(model, options), files, output, form)
    for failure in failures:
        say(f"serval: {failure.clip_id}: {failure.stage}: {_with_remedy(failure)}", err=True)
    if failures:
        sys.exit(3)


def _refuse_form(output: Path, options: InferenceOptions, files: int) -> None:
    if options.window is not None:
        refuse_unknown_form(output, files)
    else:
        form_of(output)


def _form(output: Path | None, *, as_json: bool, as_csv: bool) -> str | None:
    """Return what is printed instead of bars, if anything.

    Raises:
        click.UsageError: More than one form was asked for.
    """
    if as_json + as_csv + (output is not None) > 1:
        raise click.UsageError("--json, --csv and --output FILE each say a form; give one of them")
    return "json" if as_json else "csv" if as_csv else None


def _opened(name: str, options: InferenceOptions) -> Model:
    """Return the model, after a line on stderr for each thing that was assumed of it."""
    model = load_as_stated(name, options)
    for warning in model.facts.get("warnings", ()):
        say(f"serval: {printable(warning)}", err=True)
    return model


def _told(
    model: Model, files: Sequence[Path], output: Path | None, form: str | None
) -> list[Failure]:
    """Return the files without an answer, after showing or writing the answers."""
    clips = (Clip(id=str(path), index=i, label="", audio=path) for i, path in enumerate(files))
    workers = min(len(files), available_cores())
    if isinstance(model, Windowed):
        told = heard_in_windows(model, clips, workers)
        records = [one.record for one in told]
        _tell_windows(model, told, output, form)
    else:
        records = list(infer(model, clips, workers=workers))
        _tell(model, records, output, form)
    _say_cut(model, records)
    return [record for record in records if isinstance(record, Failure)]


def _say_cut(model: Model, records: Iterable[Record]) -> None:
    """Say on stderr how many of the files a model of a fixed length did not hear whole."""
    answered = [one.duration_s for one in records if isinstance(one, Prediction)]
    for sentence in cut_sentences(model.facts, np.array(answered)):
        say(f"serval: {sentence}", err=True)


def _with_remedy(failure: Failure) -> str:
    """Return why a file was not predicted, and what its owner may do."""
    name = failure.clip_id
    if failure.stage == "read" and address_in(name):
        return failure.reason
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
    """Yield the files that were named, and of folders every audio file below that is not hidden.

    Raises:
        ConfigError: A folder holds no audio file.
    """
    for path in given:
        if not is_folder(path):
            yield path
            continue
        heard = [name for name in listing_of_folder(path).files if is_audio(name)]
        found = [name for name in heard if not is_hidden(name)]
        if hidden := [name for name in heard if is_hidden(name)]:
            n = counted(len(hidden), "hidden file")
            say(f"serval: {path}: left out {n}, such as {printable(hidden[0])}", err=True)
        if not found:
            raise ConfigError(f"there is no audio file below {path}; name the files themselves")
        yield from (path / name for name in found)


def _tell(model: Model, records: list[Record], output: Path | None, form: str | None) -> None:
    """Show the answers, or write them in the form that a flag or the name of the file says."""
    contract = model.contract
    if output is not None:
        say(write_bytes(output, content(records, contract, form_of(output))))
    elif form is not None:
        click.echo(content(records, contract, form).decode(), nl=False)
    else:
        SHOWN[contract.asked](records, contract)


SHOWN: Mapping[Task, Callable[[Sequence[Record], Contract], None]] = {
    CATEGORICAL: print_emotions,
    MULTILABEL: print_sets,
    DIMENSIONAL: print_values,
}
"""What prints the answers of a model."""
