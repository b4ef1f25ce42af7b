import pytest
from rich.table import Table

from serval.commands.terminal import say, terminal

HARM = "angry\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp"


@pytest.fixture
def table():
    table = Table(title=HARM, caption=HARM)
    table.add_column(HARM)
    table.add_row(HARM)
    return table


def obeyed(text):
    return [c for c in text if c in "\x1b\x07\x9b\u202e"]


def test_no_text_in_a_table_is_obeyed_by_the_terminal(capsys, table):
    terminal().print(table)
    terminal().print(HARM, style="bold")
    shown = capsys.readouterr().out
    assert shown.count("angry\\x1b") == 5
    assert obeyed(shown) == []


def test_colours_of_the_console_itself_are_kept(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal().print("right", style="bold")
    assert "\x1b[1mright\x1b[0m" in capsys.readouterr().out


def test_lines_stay_lines(capsys):
    say(f"one\n{HARM}", err=True)
    shown = capsys.readouterr().err
    assert shown.splitlines()[0] == "one"
    assert obeyed(shown) == []
