"""What holds for every command alike."""

import io
import os
import sys
from pathlib import Path

import click
import numpy as np
import pytest

from serval import cli
from serval.cli import COMMANDS, group
from serval.commands.answers import content, print_emotions
from serval.commands.windows import Told, show_windows
from serval.labels import LabelSet
from serval.models.contract import Contract
from serval.predict import Moment
from serval.records import Prediction


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


def raw(file):
    return io.TextIOWrapper(io.FileIO(file, "w"), write_through=True)


def code_of(*arguments):
    return cli.exit_code(lambda: group.main([*arguments], "serval", standalone_mode=False) or 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("arguments", [("datasets",), ("--help",)])
def test_an_output_that_cannot_be_written_is_one_line_and_code_2(arguments, monkeypatch, capsys):
    with raw("/dev/full") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        assert code_of(*arguments) == 2
        sys.stdout.close()
    assert capsys.readouterr().err.startswith("serval: the output cannot be written: No space")


@pytest.mark.parametrize("arguments", [("datasets",), ("--help",)])
def test_a_reader_who_is_gone_is_told_nothing_and_is_no_broken_bound(
    arguments, monkeypatch, capsys
):
    read, write = os.pipe()
    os.close(read)
    with raw(write) as gone, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", gone)
        assert code_of(*arguments) == 141
        sys.stdout.close()
    assert capsys.readouterr().err == ""


def test_a_closed_output_is_nowhere(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        assert code_of("datasets") == 0
        sys.stdout.close()


@pytest.mark.parametrize("flags", [("--json", "--csv"), ("--json", "-o", "x.csv")])
def test_two_forms_of_an_answer_are_refused(flags, capsys):
    assert code_of("predict", "x.wav", *flags) == 2
    assert "--json, --csv and --output FILE each say a form" in capsys.readouterr().err


def test_of_equal_shares_the_answer_comes_first_and_the_others_follow(capsys):
    record = Prediction(clip_id="a.wav", index=0, truth="", predicted="angry", logits=(1, 1, 0),
                        probs=(0.4, 0.4, 0.2), duration_s=1.0, inference_s=0.1)  # fmt: skip
    contract = Contract(labels=LabelSet(("angry", "sad", "calm")))
    print_emotions([record, record], contract)
    moment = Moment(start_s=0.0, end_s=1.0, predicted="angry", probs=np.array(record.probs))
    show_windows([Told(record=record, moments=[moment], contract=contract)], None)
    assert capsys.readouterr().out.count("sad 40 %, calm 20 %") == 3


def test_labels_that_are_columns_too_have_a_prefix():
    record = Prediction(clip_id="a.wav", index=0, truth="", predicted="file", logits=(1.0, 0.0),
                        probs=(0.7, 0.3), duration_s=1.0, inference_s=0.1)  # fmt: skip
    for labels, head in ((("file", "sad"), "prob_file,prob_sad"), (("a", "b"), "a,b")):
        text = content([record], Contract(labels=LabelSet(labels)), "csv").decode()
        assert text.splitlines()[0] == f"file,emotion,confidence,duration_s,{head},failure"
