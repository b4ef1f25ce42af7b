"""Options that several commands have, each with one spelling, one meaning and one unit."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from serval.commands.terminal import say
from serval.labels import PRESETS
from serval.logs import LOGGERS
from serval.models.load import RUNTIMES
from serval.options import EvalOptions
from serval.tasks import FORMS

DEFAULTS = EvalOptions()
MODEL_HELP = (
    "An .onnx or .xml file, a built-in name, a checkpoint (its folder, or hf:ORG/NAME), "
    "hf:ORG/NAME/FILE.onnx, or python:FILE.py:NAME."
)
DATASET_HELP = "demo, ssi, hf:ORG/NAME, a folder, CORPUS:FOLDER, or a .csv/.jsonl/.parquet file."

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]


def say_renamed(old: str, new: str) -> None:
    """Say on standard error, in one line, what to write instead of an earlier spelling."""
    say(
        f"serval: {old} is an earlier spelling and goes with the next version; write {new}",
        err=True,
    )


class Renamed(click.Option):
    """An option that is also taken under its earlier spelling, which no help shows.

    Args:
        decls: As click takes them.
        was: The earlier spelling.
        **rest: As click takes them.
    """

    def __init__(self, decls: list[str], *, was: str, **rest: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(decls, **rest)
        self.was = was

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:  # noqa: ANN401 - private in click
        """Have the parser keep what is given under the earlier spelling beside the rest."""
        super().add_to_parser(parser, ctx)
        action = "append" if self.multiple else "store"
        parser.add_option(obj=self, opts=[self.was], dest=self.was, action=action, nargs=1)

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return the value, of the earlier spelling too, after a line that says the new one."""
        if self.was in opts:
            if self.name in opts:
                raise click.UsageError(
                    f"{self.was} is an earlier spelling of {self.opts[0]}: give one"
                )
            say_renamed(self.was, self.opts[0])
            opts = {**opts, str(self.name): opts[self.was]}
        return super().consume_value(ctx, opts)


def quiet_option(hides: str) -> Decorator:
    """Return the option that leaves out what `hides` says, and the progress of downloads."""
    return click.option("--quiet", "-q", is_flag=True, help=hides, callback=quiet_downloads)


def quiet_downloads(_ctx: click.Context, _option: click.Parameter, quiet: bool) -> bool:  # noqa: FBT001 - click's callback
    """Return whether to be quiet; the hub's client reads its variable when it is first loaded."""
    if quiet:
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    return quiet


def log_option(command: Command) -> Command:
    """Return the command with where else a scored run is kept."""
    return _with(
        command,
        click.option("--log", "loggers", multiple=True, type=click.Choice(list(LOGGERS)),
                     help="Keep the run there too; an extra. May be given again."),
    )  # fmt: skip


def picture_option() -> Decorator:
    """Return the option that says in which format pictures are written."""
    return click.option(
        "--format", type=click.Choice(["png", "svg", "pdf"]), default="png", show_default=True,
        help="Of the pictures.", expose_value=False, callback=_choose_format,
    )  # fmt: skip


def _choose_format(ctx: click.Context, _option: click.Parameter, chosen: str) -> None:
    if chosen != "png":
        from serval.plots.canvas import pictures_as  # and with it matplotlib

        ctx.with_resource(pictures_as(chosen))


def dataset_option(**rest: Any) -> Decorator:  # noqa: ANN401 - click's
    """Return the option that names a dataset."""
    return click.option("--dataset", "-d", **{"help": DATASET_HELP, "metavar": "TEXT", **rest})


def reading_options(command: Command) -> Command:
    """Return the command with what `DatasetOptions` holds."""
    return _with(
        command,
        click.option("--split", metavar="TEXT",
                     help="Also folds, fold1.test; default: validation where there is one."),
        click.option("--include", metavar="KIND",
                     help="Recordings of a known corpus that are left out else: song,video."),
        click.option("--revision", help="Branch, tag or commit of a hub set.", metavar="TEXT"),
        click.option("--limit", type=int, metavar="N", help="Only the first N clips."),
        click.option("--sample", type=int, metavar="N",
                     help="Only N clips, drawn at random with each label's share."),
        click.option("--sample-seed", type=click.IntRange(min=0), default=DEFAULTS.sample_seed,
                     show_default=True, help="What they are drawn with."),
        click.option("--audio-column", help="Column with the audio or its path.", metavar="TEXT"),
        click.option("--label-column", help="Column with the emotion.", metavar="TEXT"),
        click.option("--label-separator", metavar="TEXT",
                     help="Between several emotions of one clip in that column, such as ';'."),
        click.option("--speaker-column", help="Column with the speaker.", metavar="TEXT"),
    )  # fmt: skip


def label_options(command: Command) -> Command:
    """Return the command with how a set's labels become the model's."""
    return _with(
        command,
        click.option("--label-map", metavar="TEXT",
                     help=f"ANG=angry,..., a JSON file, or a preset: {', '.join(PRESETS)}."),
        click.option("--drop-unmapped", is_flag=True,
                     help="Leave out clips whose label the model does not know."),
        click.option("--dimension-columns", metavar="TEXT",
                     help="arousal=EmoAct,... for a model of dimensions."),
        click.option("--scale", metavar="LOW..HIGH",
                     help="Of the set's values of dimensions, such as 1..7."),
        click.option("--emotion-columns", metavar="TEXT",
                     help="angry=is_angry,...: columns of 0 and 1, several emotions a clip."),
    )  # fmt: skip


def contract_options(command: Command) -> Command:
    """Return the command with what `ModelOptions` holds."""
    return _with(
        command,
        click.option("--labels", help="The model's labels in order, with commas.", metavar="TEXT"),
        click.option("--sample-rate", type=int, metavar="HZ",
                     help="What the model wants; default: as the model file says, else 16000."),
        click.option("--normalize", type=click.Choice(["auto", "peak", "zscore", "none"]),
                     default=DEFAULTS.normalize, show_default=True,
                     help="auto: as the model file says."),
        click.option("--max-seconds", type=float, metavar="S",
                     help="Longest clip; default: as the model file says, else 120."),
        click.option("--output-name", metavar="NAME",
                     help="The model file's output with the scores, of several."),
        click.option("--model-scale", metavar="LOW..HIGH",
                     help="Of a model of dimensions; default: as the model file says."),
        click.option("--multi-label", is_flag=True,
                     help="The outputs are for each emotion alone; default: as the file says."),
        click.option("--outputs", type=click.Choice(["auto", *FORMS]), default=DEFAULTS.outputs,
                     show_default=True, help="auto: as the file says, else as a trial shows."),
    )  # fmt: skip


def inference_options(command: Command) -> Command:
    """Return the command with what `InferenceOptions` holds."""
    return _with(
        command,
        contract_options,
        click.option("--runtime", type=click.Choice(["auto", *RUNTIMES]), default=DEFAULTS.runtime,
                     show_default=True, help="auto: what the model's kind of file calls for."),
        click.option("--provider", default=DEFAULTS.provider, show_default=True, metavar="NAME",
                     help="Of ONNX Runtime: cuda, coreml, xnnpack, ... where it is installed."),
        click.option("--window", type=float, metavar="S",
                     help="Hear longer clips in windows of S seconds, and average."),
        click.option("--hop", type=float, metavar="S",
                     help="From one window to the next; default: the window's length."),
        click.option("--window-mean", type=click.Choice(["probabilities", "logits"]),
                     default=DEFAULTS.window_mean, show_default=True,
                     help="What is averaged over the windows."),
    )  # fmt: skip


def evaluation_options(command: Command) -> Command:
    """Return the command with every option that says what is evaluated on what, and how."""
    return _with(
        command,
        click.option("--model", "-m", default=DEFAULTS.model, show_default=True, help=MODEL_HELP),
        dataset_option(default=DEFAULTS.dataset, show_default=True),
        reading_options,
        label_options,
        inference_options,
        engine_options,
    )  # fmt: skip


def failures_option(command: Command) -> Command:
    """Return the command with how many clips may fail."""
    return _with(
        command,
        click.option("--max-failures", type=float, default=DEFAULTS.max_failures,
                     show_default=True,
                     help="Share of clips that may fail before the exit code is 3."),
    )  # fmt: skip


def engine_options(command: Command) -> Command:
    """Return the command with the options that say where clips are done, and how many at once."""
    return _with(
        command,
        click.option("--workers", type=int, metavar="N", help="Default: one for each core."),
        click.option("--engine", type=click.Choice(["local", "ray"]), default=DEFAULTS.engine,
                     show_default=True, help="ray: on every machine of a cluster."),
        click.option("--ray-address", metavar="HOST:PORT",
                     help="A running Ray cluster; default: one is started here."),
    )  # fmt: skip


def _with(command: Command, *options: Decorator) -> Command:
    """Return the command with the options, in that order in its help."""
    for option in reversed(options):
        command = option(command)
    return command
