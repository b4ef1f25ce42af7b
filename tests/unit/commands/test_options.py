import os

import click
import numpy as np
import pytest
from click.testing import CliRunner

from runs import run_of
from serval.cli import COMMANDS, group
from serval.commands.options import Renamed, quiet_option

SPELLINGS = {
    "--against": {"audit"},
    "--baseline": {"gate", "report", "stress"},
    "--clips": {"quantize"},
}
"""Where a word is shown, which has one meaning."""


@click.command()
@click.option("--baseline", cls=Renamed, was="--against", default="none")
def asked(baseline):
    click.echo(baseline)


def commands():
    return {name: group.get_command(click.Context(group), name) for name in COMMANDS}


def spelled(command):
    """Every spelling that the command's help shows."""
    return {
        spelling
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
        for spelling in (*option.opts, *option.secondary_opts)
    }


@pytest.mark.parametrize(("spelling", "where"), SPELLINGS.items())
def test_a_word_stands_in_those_commands_where_it_means_the_same(spelling, where):
    assert {name for name, command in commands().items() if spelling in spelled(command)} == where


def test_a_shared_option_takes_the_same_kind_of_value_in_every_command():
    shared = ("limit", "sample_rate", "max_drop", "clips", "sample", "split", "labels", "normalize")
    for name in shared:
        kinds = {
            type(option.type).__name__
            for verb, command in commands().items()
            if verb != "gate"  # whose --max-drop names a metric and its points
            for option in command.params
            if option.name == name
        }
        assert len(kinds) == 1, (name, kinds)


def test_what_reads_a_dataset_takes_all_that_is_said_of_one():
    reading = {"--split", "--revision", "--limit", "--sample", "--audio-column", "--label-column"}
    for verb in ("evaluate", "stress", "bench", "audit", "quantize"):
        assert reading <= spelled(commands()[verb]), verb
    stated = {"--labels", "--sample-rate", "--normalize", "--max-seconds", "--output-name"}
    for verb in ("evaluate", "stress", "bench", "predict", "quantize"):
        assert stated <= spelled(commands()[verb]), verb


@pytest.mark.parametrize("given", [["--against", "x"], ["--against=x"]])
def test_an_earlier_spelling_is_taken_and_said_in_one_line(given):
    done = CliRunner().invoke(asked, given)
    assert (done.exit_code, done.stdout) == (0, "x\n")
    assert done.stderr == (
        "serval: --against is an earlier spelling and goes with the next version; "
        "write --baseline\n"
    )


def test_the_new_spelling_says_nothing_and_no_help_shows_the_earlier_one():
    for given, value in ((["--baseline", "x"], "x"), ([], "none")):
        done = CliRunner().invoke(asked, given)
        assert (done.stdout, done.stderr) == (f"{value}\n", "")
    assert "--against" not in CliRunner().invoke(asked, ["--help"]).output


def test_both_spellings_at_once_are_refused():
    done = CliRunner().invoke(asked, ["--baseline", "x", "--against", "y"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--against is an earlier spelling of --baseline: give one" in done.stderr


@pytest.mark.parametrize(("given", "value"), [(["--quiet"], "1"), ([], "unset")])
def test_quiet_leaves_out_the_progress_of_downloads(monkeypatch, given, value):
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "0")
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS")

    @click.command()
    @quiet_option("Nothing.")
    def hushed(quiet):
        click.echo(os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS", "unset"))

    assert CliRunner().invoke(hushed, given).stdout == f"{value}\n"


def test_the_report_against_a_run_is_that_run_with_a_baseline(serval, tmp_path):
    truth = np.arange(60) % 3
    for name, answers in (("old", (truth + (truth == 1)) % 3), ("new", truth)):
        run_of(tmp_path / name, truth, answers, dataset={"fingerprint": "f" * 64})
    pages = []
    for given in (("new", "--baseline", "old"), ("old", "--against", "new")):
        done = serval("report", *given, "-o", f"{given[0]}.html", "--audio", "none")
        assert done.returncode == 0, done.stderr
        pages.append(((tmp_path / f"{given[0]}.html").read_text("utf-8"), done.stderr))
    assert pages[0][0] == pages[1][0]
    assert "earlier spelling" not in pages[0][1]
    assert "write serval report B --baseline A" in pages[1][1]


def test_a_gate_takes_a_share_between_groups_with_a_line_that_says_so(serval, tmp_path):
    truth = np.arange(60) % 3
    run_of(tmp_path / "run", truth, truth, groups={"sex": ["F", "M"] * 30})
    for bound, lines in (("uar:sex=0.9", 1), ("uar:sex=90", 0), ("uar:sex=90%", 0)):
        done = serval("gate", "run", "--max-group-gap", bound)
        assert "90 points" in done.stdout
        assert done.stderr.count("is taken as a share, as earlier versions took it") == lines


@pytest.mark.parametrize(("typed", "meant"), [("evaluat", "evaluate"), ("dataset", "datasets")])
def test_a_verb_that_does_not_exist_is_told_with_its_like(serval, typed, meant):
    done = serval(typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"no command '{typed}'; known: evaluate, predict" in done.stderr
    assert f"did you mean '{meant}'?" in done.stderr


def test_helps_keep_their_lines(serval):
    said = serval("compare", "--help").stdout
    assert "\n  worse        worse, and such a loss is not ruled out\n" in said
    examples = [line for line in serval("quantize", "--help").stdout.split("\n")
                if line.startswith("  serval quantize model.onnx")]  # fmt: skip
    assert len(examples) == 2
