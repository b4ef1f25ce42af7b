"""Which clip is which: by name, by audio, or by neither."""

from dataclasses import replace

import numpy as np
import pytest

from runs import run_of
from serval.comparison import compare, partners
from serval.errors import ConfigError, LabelError
from serval.report.columns import listed

NAMES = ("a01.wav", "a01.wav#2", "a01.wav#3", "h01.wav", "h01.wav#2", "n01.wav")
AUDIO = ("DC/a01", "JE/a01", "KL/a01", "DC/h01", "JE/h01", "DC/n01")
TRUTH = {"a": 0, "h": 1, "n": 2}
SECONDS = {name: 1.0 + 0.5 * i for i, name in enumerate(AUDIO)}


@pytest.fixture
def run(tmp_path):
    """A run on recordings in an order, by a model that calls each what its audio says."""

    def made(name, audio=AUDIO, ids=None, coded=""):
        truth = [TRUTH[clip.split("/")[1][0]] for clip in audio]
        said = [sum(map(ord, clip)) % 3 for clip in audio]
        return run_of(
            tmp_path / name,
            truth,
            said,
            ids=list(ids or NAMES),
            shas={i: f"{coded}{clip}" for i, clip in enumerate(audio)},
            durations=[SECONDS[clip] for clip in audio],
        )

    return made


def test_equal_runs_are_paired_by_name_without_a_word(run):
    found = partners(run("a"), run("b"))
    assert found.rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert (found.by_audio, found.doubtful) == (0, 0)
    assert not [line for line in compare([run("a"), run("b")]).warnings if "audio" in line]


def test_rows_in_another_order_are_paired_by_their_audio(run):
    turned = ("KL/a01", "DC/a01", "JE/a01", "JE/h01", "DC/h01", "DC/n01")
    a, b = run("a"), run("b", turned)
    found = partners(a, b)
    assert [b.audio_sha256[j] for j in found.rows] == list(a.audio_sha256)
    assert (found.by_audio, found.doubtful) == (5, 0)
    comparison = compare([a, b])
    assert comparison.n == 6
    assert comparison.against[0].flips == ()
    assert comparison.other_audio == 0
    assert any(line.startswith("5 clips of ") and "by their audio" in line
               for line in comparison.warnings)  # fmt: skip


def test_absolute_and_relative_paths_are_paired_by_their_audio(run):
    b = run("b", AUDIO[::-1], ids=[f"savee/{clip}.wav" for clip in AUDIO[::-1]])
    found = partners(run("a"), b)
    assert found.rows.tolist() == [5, 4, 3, 2, 1, 0]
    assert found.by_audio == 6
    assert compare([run("a"), b]).against[0].flips == ()


def test_the_page_sets_the_same_clips_side_by_side(run):
    b = run("b", AUDIO[::-1], ids=[f"savee/{clip}.wav" for clip in AUDIO[::-1]])
    assert listed([run("a"), b]).positions == ((0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0))
    fewer = run("c", AUDIO[1:4], ids=("x", "y", "z"))
    assert listed([fewer, run("a")]).positions == ((0, 1, 2, -1, -1, -1), (1, 2, 3, 0, 4, 5))


def test_a_set_that_was_coded_anew_is_paired_by_name_with_a_warning(run):
    comparison = compare([run("a"), run("b", coded="mp3 of ")])
    assert (comparison.n, comparison.other_audio) == (6, 6)
    assert any("6 clips have the same id but other audio" in line for line in comparison.warnings)
    assert not any("by their audio" in line for line in comparison.warnings)


def test_one_replaced_recording_among_the_same_is_a_warning_only(run):
    a, b = run("a"), run("b")
    shas = (*b.audio_sha256[:5], "ab" * 32)
    comparison = compare([a, replace(b, audio_sha256=shas)])
    assert (comparison.n, comparison.other_audio) == (6, 1)


def test_numbered_names_of_recordings_of_other_lengths_cannot_be_paired(run):
    turned = ("KL/a01", "DC/a01", "JE/a01", "DC/h01", "JE/h01", "DC/n01")
    with pytest.raises(ConfigError, match=r"'a01.wav' is 1.00 s long in .* and 2.00 s in .*paths"):
        compare([run("a"), run("b", turned, coded="mp3 of ")])


def test_a_name_that_means_another_recording_pairs_nothing(run):
    """DC/a01 is in the first run only, and its name means JE/a01 in the second."""
    b = run("b", ("JE/a01", "KL/a01", "DC/n01"), ids=("a01.wav", "a01.wav#2", "a01.wav#3"))
    found = partners(run("a"), b)
    assert found.rows.tolist() == [-1, 0, 1, -1, -1, 2]
    assert found.by_audio == 3
    a = run("c", ("DC/a01", "JE/a01"), ids=("a01.wav", "a01.wav#2"))
    b = run("d", ("JE/a01", "KL/a01"), ids=("a01.wav", "a01.wav#2"))
    found = partners(a, b)
    assert (found.rows.tolist(), found.doubtful) == ([-1, 0], 1)
    comparison = compare([a, b])
    assert comparison.only_in == {"c": ("a01.wav",), "d": ("a01.wav#2",)}
    assert any("1 clip of " in line and "another recording" in line
               for line in comparison.warnings)  # fmt: skip


def test_recordings_that_a_set_has_twice_break_nothing(run):
    twice = ("DC/a01", "DC/a01", "KL/a01", "DC/h01", "DC/h01", "DC/n01")
    assert partners(run("a", twice), run("b", twice)).rows.tolist() == [0, 1, 2, 3, 4, 5]
    turned = ("KL/a01", "DC/a01", "DC/a01", "DC/h01", "DC/h01", "DC/n01")
    found = partners(run("c", twice), run("d", turned))
    assert sorted(found.rows.tolist()) == [0, 1, 2, 3, 4, 5]
    comparison = compare([run("c", twice), run("d", turned)])
    assert (comparison.n, comparison.against[0].flips) == (6, ())
    once = ("DC/a01", "KL/a01", "DC/h01", "DC/n01")
    found = partners(run("e", twice), run("f", once, ids=("p", "q", "r", "s")))
    assert found.rows.tolist() == [-1, -1, 1, -1, -1, 3]


def test_one_recording_with_two_labels_is_paired_by_label(run):
    a = run("a", ("DC/a01", "DC/h01"), ids=("x", "y"))
    b = run("b", ("DC/h01", "DC/a01"), ids=("x", "y"))
    same = ("ab" * 32,) * 2
    found = partners(
        replace(a, audio_sha256=same), replace(b, clip_ids=("p", "q"), audio_sha256=same)
    )
    assert found.rows.tolist() == [1, 0]
    with pytest.raises(LabelError, match="the truth of clip 'x' is angry"):
        compare([replace(a, audio_sha256=same), replace(b, audio_sha256=same)])


def test_a_name_that_a_journal_has_twice_is_paired_by_audio(run):
    a = run("a", ids=("same", "same", *NAMES[2:]))
    assert partners(a, run("b")).rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert partners(a, run("b")).by_audio == 2


def test_unknown_audio_is_paired_by_name(run):
    a = replace(run("a"), audio_sha256=("",) * 6)
    assert partners(a, run("b")).rows.tolist() == [0, 1, 2, 3, 4, 5]


def test_of_three_runs_the_clips_of_all_are_compared(run):
    b = run("b", AUDIO[::-1], ids=[f"savee/{clip}.wav" for clip in AUDIO[::-1]])
    c = run("c", AUDIO[1:5], ids=NAMES[1:5])
    comparison = compare([run("a"), b, c])
    assert comparison.n == 4
    assert comparison.only_in["b"] == ("savee/DC/n01.wav", "savee/DC/a01.wav")
    assert comparison.only_in["c"] == ()


def test_random_orders_and_names_find_every_recording(tmp_path):
    rng = np.random.default_rng(5)
    n = 60
    truth = rng.integers(0, 3, n)
    a = run_of(tmp_path / "a", truth, truth, shas={i: f"r{i}" for i in range(n)})
    for trial in range(20):
        order = rng.permutation(n)
        b = run_of(
            tmp_path / f"b{trial}",
            truth[order],
            truth[order],
            shas={place: f"r{i}" for place, i in enumerate(order)},
        )
        assert order[partners(a, b).rows].tolist() == list(range(n))
