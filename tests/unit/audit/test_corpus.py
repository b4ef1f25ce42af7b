"""An audit of a known corpus: what it lacks, and what it has twice."""

import pytest

from corpus_trees import TREES, put, tone
from serval.audit import AuditOptions, FindingKind, audit


def found_in(path, **options):
    return audit(AuditOptions(dataset=str(path), workers=1, **options))


def messages(found, kind):
    return [finding.message for finding in found.findings if finding.kind is kind]


def test_what_a_corpus_lacks_and_has_twice_is_found(tmp_path):
    found = found_in(TREES["TESS"].write(tmp_path))
    assert messages(found, FindingKind.MISSING_CLIPS) == [
        "2,794 of the 2,800 clips of TESS are not here",
        *(
            f"{n} of 400 clips of {emotion} are here"
            for emotion, n in {
                "angry": 1, "disgust": 1, "fearful": 1, "happy": 0, "neutral": 1, "sad": 1,
                "surprised": 1,
            }.items()
        ),
    ]  # fmt: skip
    (doubled,) = messages(found, FindingKind.DOUBLED_CLIPS)
    assert doubled.startswith("2 files: second copies of clips, with the same content")
    assert found.looked[0].read_as == "read as TESS: 6 of 2,800 clips, 2 speakers"


def test_absent_speakers_are_named(tmp_path):
    found = found_in(TREES["EMOVO"].write(tmp_path), split=None)
    assert not any("speakers" in said for said in messages(found, FindingKind.MISSING_CLIPS))
    (tmp_path / "m3" / "dis-m3-l1.wav").unlink()
    (tmp_path / "f3" / "pau-f3-d1.wav").unlink()
    said = messages(found_in(tmp_path), FindingKind.MISSING_CLIPS)
    assert "2 of its 6 speakers are not here: f3, m3" in said


def test_the_labels_of_the_corpus_are_expected(tmp_path):
    found = found_in(TREES["EmoDB"].write(tmp_path))
    assert messages(found, FindingKind.UNKNOWN_LABEL) == []
    assert messages(found, FindingKind.ABSENT_LABEL) == []
    asked = found_in(tmp_path, labels=("angry", "calm"))
    assert len(messages(asked, FindingKind.UNKNOWN_LABEL)) == 6


@pytest.mark.parametrize("split", ["fold1.test", "fold1.train"])
def test_nothing_is_missing_from_a_part(tmp_path, split):
    found = found_in(TREES["EMOVO"].write(tmp_path), split=split)
    assert messages(found, FindingKind.MISSING_CLIPS) == []


def test_another_version_of_a_clip_is_doubled(tmp_path):
    put(TREES["EmoDB"].write(tmp_path) / "loud" / "03a01Wa.wav", tone("another"))
    (doubled,) = messages(found_in(tmp_path), FindingKind.DOUBLED_CLIPS)
    assert doubled.startswith("1 file: of the same name as a clip, with other content")


def test_a_set_of_ones_own_lacks_nothing(tmp_path):
    for name in ("angry/a.wav", "sad/b.wav"):
        put(tmp_path / name, tone(name))
    found = found_in(tmp_path)
    assert messages(found, FindingKind.MISSING_CLIPS) == []
    assert found.looked[0].read_as == ""
