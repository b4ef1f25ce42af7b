"""`serval export`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

import click

from serval.commands.options import Renamed, dataset_option
from serval.commands.terminal import say, terminal
from serval.export import Exported, ExportOptions, export_checkpoint
from serval.wording import counted

DEFAULTS = ExportOptions()


@click.command("export")
@click.argument("checkpoint")
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True,
              help="The .onnx file to write.")  # fmt: skip
@click.option("--layers", type=int, metavar="N",
              help="Only the first N transformer layers, to distil or fine-tune.")  # fmt: skip
@click.option("--attention-mask", is_flag=True, help="A graph whose clips may be padded.")
@click.option("--revision", help="Branch, tag or commit of a hub checkpoint.", metavar="TEXT")
@click.option("--normalize", type=click.Choice(["zscore", "none"]),
              help="For a checkpoint without preprocessor_config.json.")  # fmt: skip
@click.option("--model-scale", metavar="LOW..HIGH",
              help="Of the values of a checkpoint of dimensions, such as 0..1.")  # fmt: skip
@dataset_option(cls=Renamed, was="--clips", default=DEFAULTS.dataset, show_default=True,
                help="The file is compared with torch on its first clips.")  # fmt: skip
def export_command(checkpoint: str, output: Path, **flags: Any) -> None:  # noqa: ANN401 - click's flags
    r"""Turn a checkpoint of transformers into an ONNX file, checked against torch.

    CHECKPOINT is a folder in hub layout, or hf:ORG/NAME. The file takes raw waveforms and says
    itself what it expects. It is written only if it agrees with torch.

    Needs the extra: pip install 'serval-ser[export]'
    """
    say(f"exporting {checkpoint} ...", err=True)
    _show(export_checkpoint(checkpoint, output, ExportOptions(**flags)))


def _show(exported: Exported) -> None:
    parity, said = exported.parity, exported.metadata
    lengths = ", ".join(f"{seconds:g}" for seconds in parity.durations_s)
    say(f"{exported.path}: {exported.size_bytes / 1e6:,.1f} MB")
    for key, value in said.items():
        say(f"  {key:>14}  {value}")
    say(
        f"Parity with torch on {counted(len(parity.durations_s), 'clip')} ({lengths} s): logits "
        f"differ by at most {parity.max_abs_diff:.1e}, same label {parity.same_argmax} of "
        f"{len(parity.durations_s)}"
    )
    if parity.padded_max_abs_diff is not None:
        say(f"Padded in one batch: differ by at most {parity.padded_max_abs_diff:.1e}")
    for note in exported.notes:
        say(f"Note: {note}")
    path, small = exported.path, exported.path.with_suffix(".int8.onnx")
    steps = {
        "evaluate it": f"serval evaluate -m {quote(str(path))} -d DATASET",
        "make it smaller": f"serval quantize {quote(str(path))} -o {quote(str(small))} "
        "--calibration DATASET",
    }
    terminal().print_next(steps)
