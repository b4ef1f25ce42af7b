"""`serval init`."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from serval.commands.terminal import say, terminal
from serval.datasets.layout import is_audio
from serval.datasets.listing import is_hidden, listing_of_folder
from serval.files import write_text
from serval.labels import EMOTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

MANIFEST, GATE = "clips.csv", "gate.toml"
WORKFLOW = ".github/workflows/serval.yml"

GATE_TEXT = """\
# What `serval gate RUN` demands of a run; flags add to it, and count where both bound the same.

cannot-tell = "fail"    # of a bound that the clips are too few to decide

[min]
uar = 0.5               # mean recall over the emotions, from 0 to 1

[max]
failures = 0.01         # share of clips that could not be evaluated

# Against an earlier run: at most so many points below it, decided by the 95 % interval.
# baseline = "baseline"  # goes above the tables
# [max-drop]
# uar = 1
"""

WORKFLOW_TEXT = """\
# Evaluates the model at each push and fails where it does not keep the bounds of gate.toml.
name: serval
on: [push, pull_request]
jobs:
  evaluate:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install serval-ser
      # Put your own model in the place of serval-tiny: an .onnx file, or hf:ORG/NAME/FILE.onnx.
      - run: serval evaluate -m serval-tiny -d clips.csv -o run
      - run: serval gate run --junit gate.xml
"""


@click.command("init")
@click.argument("folder", default=".", type=click.Path(path_type=Path))
def init_command(folder: Path) -> None:
    """Write a starter manifest, gate.toml and CI file into a folder.

    The manifest lists the audio files below the folder; where they lie in a folder that is called
    as an emotion, that is their label. No file is ever overwritten.
    """
    texts = {MANIFEST: _manifest(folder), GATE: GATE_TEXT, WORKFLOW: WORKFLOW_TEXT}
    for name, text in texts.items():
        place = folder / name
        if place.exists():
            say(f"kept   {place}: it is there already")
        else:
            say(f"wrote  {write_text(place, text)}")
    manifest = folder / MANIFEST
    command = f"serval evaluate -d {quote(str(manifest))} -o run"
    terminal().print_next({f"fill in {manifest}, then": command})


def _manifest(folder: Path) -> str:
    """Return the rows of the audio files below the folder, or two to follow where there is none."""
    found = [name for name in _names(folder) if is_audio(name) and not is_hidden(name)]
    rows = [(name, _label(name), "") for name in found] or [
        ("audio/first.wav", "happy", "speaker 1"),
        ("audio/second.wav", "sad", "speaker 2"),
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("path", "emotion", "speaker"), *rows])
    return text.getvalue()


def _names(folder: Path) -> Sequence[str]:
    return listing_of_folder(folder).files if folder.is_dir() else ()


def _label(name: str) -> str:
    above = [part.casefold() for part in Path(name).parts[:-1]]
    return next((part for part in reversed(above) if part in EMOTIONS), "")
