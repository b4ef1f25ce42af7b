import os
import signal
import subprocess
import sys
import threading

import pytest

from conftest import process_environment
from serval import cli, stopping
from serval.errors import ConfigError
from serval.stopping import as_stop, hear_stops, kept_hearing, stop_if_asked, stop_was_asked

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another thing there")


@pytest.fixture(autouse=True)
def hearing(monkeypatch):
    """The handlers of the program, and afterwards those of pytest."""
    before = {sent: signal.getsignal(sent) for sent in stopping.STOPS}
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    hear_stops()
    yield
    hear_stops()
    for sent, handler in before.items():
        signal.signal(sent, handler)


def told_to_stop(sent=signal.SIGTERM):
    os.kill(os.getpid(), sent)
    raise AssertionError("the signal was not heard")


def inside_c_code():
    """What numpy makes of an interruption in the middle of a conversion."""
    try:
        told_to_stop(signal.SIGINT)
    except KeyboardInterrupt:
        raise TypeError("only 0-dimensional arrays can be converted") from None


def in_a_finalizer():
    """What is raised there is lost, and the work goes on to its end."""
    try:
        told_to_stop()
    except KeyboardInterrupt:
        return 0


def with_an_error_of_ours():
    try:
        told_to_stop()
    except KeyboardInterrupt:
        raise ConfigError("a file cannot be read") from None


def with_an_exit():
    try:
        told_to_stop()
    except KeyboardInterrupt:
        sys.exit(0)


@pytest.mark.parametrize(
    "command", [told_to_stop, inside_c_code, in_a_finalizer, with_an_error_of_ours, with_an_exit]
)
def test_whatever_ends_a_command_that_was_told_to_stop_is_a_stop(command, capsys):
    with pytest.raises(SystemExit) as done:
        cli.run(command)
    assert done.value.code == 130
    assert capsys.readouterr().err == "\nserval: stopped\n"


def test_the_exit_code_is_that_of_a_stop_where_c_code_was_interrupted_too(tmp_path):
    """Python remembers an interruption below `PyRun_...` and would end with the signal itself."""
    (tmp_path / "told.py").write_text(
        "import ctypes\nfrom serval import cli\n"
        "told = b'import os, signal; os.kill(os.getpid(), signal.SIGINT)'\n"
        "cli.run(lambda: ctypes.pythonapi.PyRun_SimpleString(told))"
    )
    done = subprocess.run(
        [sys.executable, "-m", "told"],
        cwd=tmp_path,
        env=process_environment(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    assert done.stderr.endswith("\nserval: stopped\n")


def test_a_command_that_nobody_stopped_ends_as_before(capsys):
    def bug():
        raise TypeError("a bug")

    with pytest.raises(TypeError, match="a bug"):
        cli.run(bug)
    for code in (0, 1, 3):
        with pytest.raises(SystemExit) as done:
            cli.run(lambda code=code: sys.exit(code))
        assert done.value.code == code
    assert capsys.readouterr().err == ""


def test_a_stop_at_the_very_end_changes_nothing_more():
    with pytest.raises(SystemExit) as done:
        cli.run(lambda: 0)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert done.value.code == 0
    assert not stop_was_asked()


def told_while_others_hear():
    with kept_hearing():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
        os.kill(os.getpid(), signal.SIGTERM)


def test_other_handlers_do_not_stay():
    ours = signal.getsignal(signal.SIGTERM)
    with kept_hearing():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
    assert signal.getsignal(signal.SIGTERM) is ours
    with pytest.raises(KeyboardInterrupt):
        told_while_others_hear()
    assert stop_was_asked()
    with pytest.raises(KeyboardInterrupt):
        stop_if_asked()


def test_without_a_stop_an_exception_stays_what_it_is():
    with pytest.raises(TypeError, match="a bug"), as_stop():
        raise TypeError("a bug")
    stop_if_asked()
