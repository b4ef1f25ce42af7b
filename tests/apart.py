"""Calls in processes of their own, for little: forked from one that has what takes time to import.

Some libraries read their variables when they are imported, as the hub's client does its `HF_...`:
whoever has others is another process.
"""

import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the function returned, and all that was printed to standard error meanwhile."""

    value: object
    stderr: str


class Apart:
    """Calls functions of modules, each in a child of one process; without `fork`, in a new one.

    Args:
        environment: Of the process.
        ready: Modules that it imports at its start.
        read_again: Packages that it forgets then, for each child to import them with variables of
            its own; what they import in turn is kept.
    """

    def __init__(self, environment, ready, read_again=()):
        self.environment, self.start_with = environment, [[*ready], [*read_again]]
        self.process = None

    def call(self, function, *arguments, cwd, **variables):
        """What `module:function` returns for these arguments; all of it goes through JSON."""
        with tempfile.TemporaryDirectory() as folder:
            order = {
                "function": function, "arguments": arguments, "cwd": str(cwd), "folder": folder,
                "variables": {key: str(value) for key, value in variables.items()},
            }  # fmt: skip
            self._give(json.dumps(order))
            said, answer = (Path(folder) / name for name in ("stderr", "answer"))
            stderr = said.read_text(encoding="utf-8")
            assert answer.exists(), f"{function} gave no answer: {stderr}"
            return Answer(value=json.loads(answer.read_text(encoding="utf-8")), stderr=stderr)

    def _give(self, order):
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [sys.executable, __file__, json.dumps(self.start_with)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env=self.environment,
            )
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()
        if not self.process.stdout.readline():
            self.process.wait()

    def close(self):
        if self.process is not None:
            self.process.communicate()


@contextmanager
def apart(*arguments):
    calls = Apart(*arguments)
    yield calls
    calls.close()


def main():
    ready, read_again = json.loads(sys.argv[1])
    gc.disable()  # what is imported stays
    for name in ready:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.split(".")[0] in read_again]:
        del sys.modules[name]
    gc.freeze()
    gc.enable()
    for line in sys.stdin:
        child = os.fork() if hasattr(os, "fork") else 0
        if not child:
            _do(json.loads(line))
        os.waitpid(child, 0)
        sys.stdout.write("done\n")
        sys.stdout.flush()
    os._exit(0)  # to take apart what was imported is a second


def _do(order):
    """The child: it never returns."""
    folder = Path(order["folder"])
    with (folder / "stderr").open("wb") as said, Path(os.devnull).open("wb") as nowhere:
        os.dup2(said.fileno(), 2)
        os.dup2(nowhere.fileno(), 1)
    try:
        os.environ.update(order["variables"])
        os.chdir(order["cwd"])
        module, _, name = order["function"].partition(":")
        answer = getattr(importlib.import_module(module), name)(*order["arguments"])
        (folder / "answer").write_text(json.dumps(answer), encoding="utf-8")
    except BaseException:  # noqa: BLE001 - whoever called shows it
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
