"""How far an evaluation is, on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from serval.commands.terminal import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serval.evaluation import Step

LINE_EVERY_S = 10.0

SURE_AFTER_S = 3.0
"""How long a rate is measured before the time to go is told from it: the first clip waits for
whatever is loaded."""


@contextmanager
def shown_progress(*, quiet: bool) -> Iterator[Callable[[Step], None]]:
    """Yield a function that shows a step: nothing if quiet, else a bar or plain lines."""
    if quiet:
        yield lambda _step: None
    elif sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task("evaluate", total=None, rate=0.0, failed=0)
            start = time.perf_counter()
            yield lambda step: bar.update(
                task,
                completed=step.done,
                total=step.total,
                rate=_rate(step, time.perf_counter() - start),
                failed=step.failures,
            )
    else:
        yield PlainLines()


def _bar() -> Progress:
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f} clips/s"),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]} failed"),
        console=Console(stderr=True),
        transient=True,
    )


class PlainLines:
    """Prints a line at the start, every ten seconds and at the end."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.shown_at = float("-inf")

    def __call__(self, step: Step) -> None:
        """Print a line for the step if it is time for one."""
        now = time.perf_counter()
        if now - self.shown_at < LINE_EVERY_S and step.done < step.total:
            return
        self.shown_at = now
        rate = _rate(step, now - self.start)
        sure = rate and now - self.start >= SURE_AFTER_S
        eta = f", {(step.total - step.done) / rate:.0f} s to go" if sure else ""
        say(
            f"{step.done}/{step.total} clips, {rate:.1f} clips/s{eta}, {step.failures} failed",
            err=True,
        )


def _rate(step: Step, seconds: float) -> float:
    return (step.done - step.resumed) / seconds if seconds > 0 else 0.0
