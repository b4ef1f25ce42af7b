"""The command line: one module in `commands` for each command, imported only when it is called."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import click

from serval import __version__
from serval.errors import ServalError
from serval.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["exit_code", "main"]

STOPS = (signal.SIGINT, signal.SIGTERM)

COMMANDS = {
    "evaluate": "Say how good a model is on a labelled dataset, per emotion.",
    "predict": "Name the emotion in single audio files.",
    "report": "Make one HTML page of a stored run, to look and listen.",
    "compare": "Say whether another run is worse, on the same clips.",
    "gate": "Fail if a run does not keep its bounds: for CI.",
    "score": "Score a stored run again: no audio, no model.",
    "export": "Turn a checkpoint of transformers into an ONNX file, checked against torch.",
    "inspect": "Say what is in an ONNX file: size, contract, precision, what to expect of it.",
    "quantize": "Make a model smaller and faster, and say what that cost.",
    "sweep": "Evaluate many models on many datasets, and end in one table.",
    "stress": "Say how a model holds outside the studio: noise, rooms, codecs.",
    "bench": "Say how fast models are here: latency, throughput, memory.",
    "audit": "Say what is wrong with a dataset: leaks, duplicates, broken audio, labels.",
    "card": "Print a run as a model card: scores, intervals, limits, hub metadata.",
    "datasets": "List the datasets that serval knows by name.",
    "models": "List the models that are built in.",
}
"""Every command with its line in `serval --help`, in the order in which people need them."""

MODULES = {"datasets": "listing", "models": "listing"}
"""Where a command does not live in the module of its own name."""


class LazyCommands(click.Group):
    """The group of all commands, which keeps start-up free of what one command imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in their order of use, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command, importing its module, or `None` if there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"serval.commands.{MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="serval")
def group() -> None:
    """Evaluate, shrink and compare speech-emotion classifiers.

    Start with `serval evaluate`: the built-in model on the built-in demo set.
    """


def main() -> None:
    """Run the command line and exit; being told to end is taken as Ctrl-C is, tidily."""
    if threading.current_thread() is threading.main_thread():
        for sent in STOPS:
            signal.signal(sent, _stop)
    try:
        sys.exit(exit_code(lambda: group.main(prog_name="serval", standalone_mode=False) or 0))
    finally:
        # Python takes its handlers away on its last steps, where a signal would still count.
        if signal.getsignal(signal.SIGINT) is _stop_at_once:
            for sent in STOPS:
                signal.signal(sent, signal.SIG_IGN)


def _stop(_sent: int, _frame: FrameType | None) -> None:
    """Stop tidily; who is told so again meanwhile stops at once."""
    for sent in STOPS:
        signal.signal(sent, _stop_at_once)
    raise KeyboardInterrupt


def _stop_at_once(_sent: int, _frame: FrameType | None) -> NoReturn:
    """End without waiting for the clips that run: whatever was written is whole at any moment.

    Left to itself, Python would end below their threads, with a signal and a message of C++.
    """
    with suppress(OSError):
        os.write(2, b"\nserval: stopped at once\n")
    os._exit(130)


def exit_code(command: Callable[[], int]) -> int:
    """Return the exit code of a command; what is wrong is one line on stderr and code 2.

    Anything but a `ServalError` or a wrong flag is a bug and keeps its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        return command()
    except click.ClickException as error:
        error.show()
        return 2
    except ServalError as error:
        click.echo(f"serval: {one_line(error)}", err=True)
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nserval: stopped", err=True)
        return 130
