"""What holds for every command alike."""

import click
import pytest

from serval import cli
from serval.cli import COMMANDS, group


def places(name):
    command = group.get_command(click.Context(group), name)
    return [(name, option.opts[0]) for option in command.params if option.name in cli.PLACES]


PLACES = [place for name in COMMANDS for place in places(name)]


def test_every_command_that_writes_is_known():
    writing = {name for name, _ in PLACES}
    assert writing >= {"evaluate", "quantize", "export", "stress", "compare", "report", "card"}


@pytest.mark.parametrize("place", ["", "\udcff"], ids=["empty", "no UTF-8"])
@pytest.mark.parametrize(("name", "flag"), PLACES)
def test_a_place_that_cannot_be_is_refused_before_anything_is_done(name, flag, place, capsys):
    needed = {"predict": ["x.wav"], "compare": ["x", "y"], "datasets": [], "models": []}
    arguments = [name, flag, place, *needed.get(name, ["x"])]
    code = cli.exit_code(lambda: group.main(arguments, "serval", standalone_mode=False) or 0)
    assert code == 2
    said = capsys.readouterr().err
    assert "is empty; name a file" in said or "is not UTF-8; choose another" in said
