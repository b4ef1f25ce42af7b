"""The command line: one module in `commands` for each command, imported only when it is called."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from serval import __version__
from serval.errors import ServalError
from serval.files import refuse_odd_place
from serval.stopping import (
    STOPPED,
    as_stop,
    hear_stops,
    no_more_stops,
    stop_if_asked,
    stop_was_asked,
)
from serval.wording import did_you_mean, one_line, printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    Kind = click.ParamType[Any]
else:
    Kind = click.ParamType  # no generic type in earlier versions of click

COMMANDS = {
    "evaluate": "Evaluate a model on a labelled dataset, per emotion.",
    "predict": "Name the emotion in audio files and folders.",
    "report": "Make one HTML page of a stored run, to look and listen.",
    "compare": "Compare runs on the same clips: whether another is worse.",
    "gate": "Fail if a run does not keep its bounds: for CI.",
    "score": "Score a stored run again: no audio, no model.",
    "export": "Turn a checkpoint of transformers into an ONNX file, checked against torch.",
    "inspect": "Show what is in an ONNX file: size, contract, precision, what to expect of it.",
    "quantize": "Make a model smaller and faster, and measure what that cost.",
    "probe": "Train small heads on an encoder, cross-validated with speakers kept apart.",
    "sweep": "Evaluate many models on many datasets, and end in one table.",
    "stress": "Test a model outside the studio: noise, rooms, codecs.",
    "bench": "Measure how fast models are here: latency, throughput, memory.",
    "web": "Make a page on which a model hears, answers and times itself, in any browser.",
    "audit": "Check a dataset for leaks, duplicates, broken audio and wrong labels.",
    "card": "Print a run as a model card: scores, intervals, limits, hub metadata.",
    "runs": "List the stored runs below a folder, with their scores.",
    "init": "Write a starter manifest, gate.toml and CI file.",
    "datasets": "List the datasets that serval knows by name.",
    "models": "List the models that are built in; check whether a checkpoint's head was trained.",
}
"""Every command with its line in `serval --help`, in the order in which people need them."""

SHOWN = 60
"""Characters of an unknown command that a message shows."""

READER_GONE = 141
"""The exit code where who read the output went away, as shells count the signal for it."""

PLACES = ("output", "junit")
"""Options that name a place to write to."""


class LazyCommands(click.Group):
    """The group of all commands, which keeps start-up free of what one command imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in their order of use, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command, importing its module, or `None` if there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"serval.commands.{cmd_name}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        for option in command.params:
            if option.name in PLACES:
                option.type = Place(option.type)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called; one that does not exist is told with its like."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            name = printable(args[0][:SHOWN])
            ctx.fail(
                f"no command '{name}'; known: {', '.join(COMMANDS)}{did_you_mean(name, COMMANDS)}"
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


class Place(Kind):
    """Where to write, looked at before there is anything to write and before it is a path."""

    def __init__(self, kind: Kind) -> None:
        self.kind, self.name = kind, kind.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - as click has it
        """Return the place as its command wants it."""
        if isinstance(value, str) and param is not None:
            refuse_odd_place(param.opts[0], value)
            value = os.path.expanduser(value)  # noqa: PTH111 - where the shell has not
        return self.kind.convert(value, param, ctx)


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="serval")
def group() -> None:
    """Evaluate, shrink and compare speech-emotion classifiers.

    Start with `serval evaluate`: a self-test, and a result on real speech.
    """


def main() -> NoReturn:
    """Run the command line and exit."""
    run(lambda: group.main(prog_name="serval", standalone_mode=False) or 0)


def run(command: Callable[[], int]) -> NoReturn:
    """Run a command and exit; being told to end is taken as Ctrl-C is, tidily."""
    hear_stops()
    try:
        code = exit_code(command)
        no_more_stops()
    except KeyboardInterrupt:
        # Told so between the last step of the command and the line above.
        code = _stopped()
    sys.exit(code)


def exit_code(command: Callable[[], int]) -> int:
    """Return the exit code of a command; what is wrong is one line on stderr and code 2.

    Anything but a `ServalError` or a wrong flag is a bug and keeps its traceback. Whatever ends a
    command that was told to stop, its last line included, is a stop.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed before Python began
            setattr(sys, name, _nowhere())
        getattr(sys, name).reconfigure(errors="replace")
    try:
        with as_stop():
            code = _code_of(command)
        return _stopped() if stop_was_asked() and code != STOPPED else code
    except (KeyboardInterrupt, click.Abort):
        return _stopped()


def _code_of(command: Callable[[], int]) -> int:
    """Return the exit code of a command, and of one whose answer nobody takes another."""
    try:
        code = _code_of_answer(command)
        sys.stdout.flush()
    except OSError as error:
        if not _is_of_output(error):
            raise
        # So that nobody, Python at its end included, tries again.
        sys.stdout = _nowhere()
        if isinstance(error, BrokenPipeError):
            return READER_GONE
        with suppress(OSError):
            click.echo(f"serval: the output cannot be written: {error.strerror}", err=True)
        return 2
    return code


def _is_of_output(error: OSError) -> bool:
    """Tell whether an error came of writing to the terminal, or to what stands in its place."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals["__name__"]).partition(".")[0] in {"click", "rich"} or (
        frame.f_code is _code_of.__code__
    )


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _code_of_answer(command: Callable[[], int]) -> int:
    output = sys.stdout
    try:
        return command()
    except SystemExit as done:
        # Where the reader of a pipe is gone, rich exits at that, and click changes the output.
        if isinstance(done.__context__, BrokenPipeError) or sys.stdout is not output:
            return READER_GONE
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except click.ClickException as error:
        stop_if_asked()
        _show(error)
        return 2
    except ServalError as error:
        stop_if_asked()
        click.echo(f"serval: {one_line(error)}", err=True)
        return 2


def _show(error: click.ClickException) -> None:
    """Print what is wrong with a command; names of files in it may hold anything."""
    text = StringIO()
    error.show(file=text)
    click.echo("\n".join(map(printable, text.getvalue().rstrip().split("\n"))), err=True)


def _stopped() -> int:
    no_more_stops()
    click.echo("\nserval: stopped", err=True)
    return STOPPED
