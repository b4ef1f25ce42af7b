"""The stored runs that come with serval: what they are, and that they give the README's numbers."""

import gzip
import re

import numpy as np
import pytest

from conftest import ROOT
from serval.comparison import compare
from serval.errors import RunError
from serval.run import EXAMPLES, load_run
from serval.run.journal import example_journal


@pytest.fixture(scope="module")
def runs():
    return {name: load_run(f"example:{name}") for name in EXAMPLES}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_small_and_holds_no_speech(name, runs):
    run, path = runs[name], example_journal(f"example:{name}")
    assert path.stat().st_size < 300_000
    assert (len(run), run.complete, len(set(run.speakers))) == (1999, True, 117)
    assert set(run.groups) == {"dataset", "gender"}
    assert all(re.fullmatch(r"validation-\d{6}", clip_id) for clip_id in run.clip_ids)
    assert all(re.fullmatch(r"(CREMA-D|RAVDESS|TESS) \d+", speaker) for speaker in run.speakers)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        assert not re.search(r"/home|/work|/tmp|/root|eleven|\.wav", lines.read())


def test_the_table_of_the_readme_is_that_of_the_examples(runs):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    comparison = compare([runs["fp32"], runs["int8"]])
    against = comparison.against[0]
    titles = {"accuracy": "wa", "UAR": "uar", "macro F1": "macro_f1"}
    for title, key in titles.items():
        change = against.scores.overall[key]
        gap = change.difference
        row = (
            f"| {title} | {100 * change.a:.2f} % | {100 * change.b:.2f} % | "
            f"{100 * gap.value:+.2f} ({100 * gap.low:+.2f} to {100 * gap.high:+.2f}) | "
            f"{change.verdict} |"
        )
        assert row in readme
    detectable = against.scores.overall["wa"].difference.detectable
    assert f"(at 80 % power) is {100 * detectable:.2f} points" in readme
    assert f"{len(against.flips)} clips flipped" in readme
    assert f"{100 * against.scores.agreement.value:.1f} % kept their label" in readme


def test_both_examples_are_of_the_same_clips_and_other_models(runs):
    fp32, int8 = runs["fp32"], runs["int8"]
    assert fp32.audio_sha256 == int8.audio_sha256
    np.testing.assert_array_equal(fp32.truth, int8.truth)
    assert (fp32.name, int8.name) == ("serval-tiny FP32", "serval-tiny INT8")
    sizes = [run.provenance.model["size_bytes"] for run in (fp32, int8)]
    assert sizes[1] < 0.3 * sizes[0]


def test_an_unknown_example_names_those_there_are():
    with pytest.raises(RunError, match="no example 'fp16'; there are: example:fp32, example:int8"):
        load_run("example:fp16")


def test_a_spoilt_example_is_one_line(tmp_path, monkeypatch):
    whole = example_journal("example:int8").read_bytes()
    spoilt = tmp_path / "int8.jsonl.gz"
    monkeypatch.setattr("serval.run.journal.example_journal", lambda _name: spoilt)
    for content in (whole[:50_000], whole[:1000] + b"\0" * 1000 + whole[2000:], b"no gzip"):
        spoilt.write_bytes(content)
        with pytest.raises(RunError, match=r"int8\.jsonl\.gz"):
            load_run("example:int8")
