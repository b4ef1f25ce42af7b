"""What a command prints at 60 columns and in a pipe: the verdict first, whole words, no colours."""

import numpy as np
import pytest

from build import encoded, voice
from runs import run_of
from serval.commands.terminal import narrow_table, terminal

EMOTIONS = ("angry", "disgusted", "surprised")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Two runs on the same 90 clips, with speakers and groups; the second one is worse."""
    folder = tmp_path_factory.mktemp("runs")
    truth = np.arange(90) % 3
    speakers = [f"speaker {i % 15}" for i in range(90)]
    groups = {"gender": ["FM"[i % 2] for i in range(90)]}
    for name, every in (("first", 9), ("second", 2)):
        wrong = np.arange(90) % every == 0
        predicted = np.where(wrong, (truth + 1) % 3, truth)
        run_of(folder / name, truth, predicted, labels=EMOTIONS, speakers=speakers, groups=groups)
    return folder


def commands(folder):
    yield ("compare", "first", "second", "-o", "compared"), "second (B) is worse than first (A): "
    yield ("compare", "first", "second", "first", "-o", "compared"), "second #2 (B) is worse than"
    yield ("score", "second", "--no-plots"), "second names the right emotion in 50.00 %"
    yield ("runs", "."), "2 runs below ., of 2 models on 1 set"
    bounds = ("--min", "uar=0.9", "--max-drop", "f1:surprised=1", "--baseline", "first")
    yield ("gate", "second", *bounds), "second does NOT pass the gate: 0 of 2 bounds kept; broken: "
    yield ("gate", "first", "--min", "uar=0.5"), "first passes the gate: 1 of 1 bound kept."


@pytest.mark.usefixtures("empty_pictures")
def test_nothing_is_cut_at_60_columns_and_the_verdict_comes_first(serval, stored):
    for arguments, said in commands(stored):
        done = serval(*arguments, cwd=stored, COLUMNS=60)
        lines = done.stdout.splitlines()
        assert " ".join(done.stdout.split()).startswith(" ".join(said.split())), arguments
        assert max(map(len, lines)) <= 60, arguments
        assert "\N{HORIZONTAL ELLIPSIS}" not in done.stdout
        assert not set(done.stdout) & set("\x1b\N{NO-BREAK SPACE}")


@pytest.mark.usefixtures("empty_pictures")
def test_in_a_pipe_a_sentence_is_one_line(serval, stored):
    done = serval("compare", "first", "second", "-o", "compared", cwd=stored)
    first, second, *_ = done.stdout.splitlines()
    assert first.startswith("second (B) is worse than first (A): 50.00 % against 88.89 % of 90 ")
    assert "points (95 % interval " in first
    assert second == "90 common clips, 15 speakers. A: first."
    power = [line for line in done.stdout.splitlines() if line.startswith("- Minimum detectable")]
    assert power[0].endswith(" drawn by speaker.")


def test_files_are_predicted_with_a_count_before_the_table(serval, tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(3):
        (tmp_path / "in" / f"a_file_whose_name_is_rather_long_{i}.wav").write_bytes(
            encoded(voice(i))
        )
    done = serval("predict", "in", COLUMNS=60)
    assert done.stdout.startswith("3 files: ")
    assert max(map(len, done.stdout.splitlines())) <= 60
    assert "then" not in done.stdout
    wide = serval("predict", "in", COLUMNS=100)
    assert " then" in wide.stdout
    done = serval("predict", "in", "-o", "out.csv")
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 4


def test_only_five_lines_stand_out_and_all_caveats(capsys, tmp_path):
    console = terminal()
    console.print_items([f"line {i}" for i in range(8)])
    console.print_caveats([f"caveat {i}" for i in range(8)])
    console.print_files([tmp_path / "a.json", tmp_path / "b.csv", tmp_path / "in" / "c.png"])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:6] == [*(f"- line {i}" for i in range(5)), "- 3 more in the files."]
    assert lines[6:8] == ["Before you trust these numbers:", "- Caveat 0."]
    assert lines[15:] == [f"In {tmp_path}: a.json, b.csv", f"In {tmp_path / 'in'}: c.png"]


def test_an_interval_goes_below_its_number_before_a_name_is_broken(capsys):
    table = narrow_table(["emotion"], ["recall %", "F1 %"])
    table.add_row("surprised", "100.0 [100, 100]", "n/a")
    terminal(40).print_table(table)
    assert "surprised 100.0 [100, 100]  n/a" in capsys.readouterr().out
    terminal(25).print_table(table)
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip() for line in lines[2:]] == ["surprised      100.0  n/a",
                                                     "          [100, 100]"]  # fmt: skip


def test_a_percent_sign_begins_no_line(capsys):
    terminal(22).print("right in 84.3 % of 95 % and\N{NO-BREAK SPACE}more")
    assert capsys.readouterr().out.splitlines() == ["right in 84.3 % of ", "95 % and more"]


@pytest.mark.usefixtures("empty_pictures")
def test_of_three_runs_each_has_a_letter_of_its_own(serval, stored):
    run_of(stored / "third", np.arange(90) % 3, np.arange(90) % 3, labels=EMOTIONS)
    done = serval("compare", "first", "second", "third", "-o", "compared", cwd=stored)
    assert "third (C) is not worse than first (A): " in done.stdout
    assert "C: third" in done.stdout.splitlines()
    assert "C - A [95 %]" in done.stdout
    done = serval("compare", "first", "./first", "-o", "compared", cwd=stored)
    assert done.stdout.startswith("first #2 (B) is the same run as first #1 (A), so that nothing ")


def test_numbers_are_never_cut_and_names_are_folded(capsys):
    table = narrow_table(["name"], ["n"], "verdict")
    table.add_row("a name that is longer than the table", "123456", "cannot tell")
    terminal(30).print(table)
    shown = capsys.readouterr().out
    assert "123456" in shown
    assert "cannot tell" in shown
    assert "a name that" in shown
