"""The sets that have names, and what opening one costs."""

import subprocess
import sys

from conftest import process_environment
from serval.corpora import corpus_called, known_corpora
from serval.datasets import load_dataset


def test_each_known_set_says_what_it_is_and_what_it_is_not():
    placed = {corpus.name: corpus for corpus in known_corpora() if corpus.location}
    assert list(placed) == ["cameo", "demo", "ssi"]
    assert "synthetic" in placed["demo"].what
    assert placed["ssi"].clips == 1999
    assert len(placed["ssi"].labels) == len(placed["demo"].labels) == 8


def test_the_demo_is_here_and_says_that_nobody_speaks():
    dataset = load_dataset("demo")
    clips = list(dataset.clips(0, None))
    assert len(clips) == dataset.n_clips == corpus_called("demo").clips
    assert all(clip.audio.is_file() and clip.speaker and clip.groups["text"] for clip in clips)
    assert {clip.label for clip in clips} == set(corpus_called("demo").labels)
    assert "synthetic" in dataset.caveats[0]


def test_clips_of_a_manifest_are_predicted_without_the_clients_of_the_hub_and_scipy(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    (tmp_path / "set.csv").write_text("path,label\na.wav,sad\n")
    code = (
        "import sys, serval.predict; from serval.datasets import load_dataset;"
        "print(len(list(load_dataset('set.csv').clips(0, None))));"
        "slow = {'datasets', 'huggingface_hub', 'pyarrow', 'pandas', 'scipy'};"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=process_environment(),
        check=True,
    )
    assert done.stdout.split("\n")[:2] == ["1", "[]"]


def test_the_real_corpus_is_read_whole(shared):
    dataset = load_dataset(str(shared / "corpora" / "ssi-like"))
    supports = {}
    for clip in dataset.metadata(0, None):
        supports[clip.label] = supports.get(clip.label, 0) + 1
    assert supports == {
        "ANG": 306, "CAL": 35, "DIS": 321, "FEA": 305,
        "HAP": 322, "NEU": 287, "SAD": 308, "SUR": 115,
    }  # fmt: skip
    assert (dataset.split, dataset.n_clips) == ("validation", 1999)
    assert "117 of 117 speakers of the whole split also occur in train" in dataset.caveats[0]
    first, last = next(dataset.clips(0, 1)), next(dataset.clips(1998, None))
    assert (first.id, first.speaker, first.label) == ("YAF_near_fear.wav", "TESS_YAF", "FEA")
    assert (last.index, len(last.audio) > 1000) == (1998, True)
