import numpy as np

from build import encoded
from serval.audit.facts import ClipFacts, clip_facts
from serval.audit.faults import duplicate_findings
from serval.audit.findings import FindingKind
from serval.audit.matching import Shelf
from serval.records import Clip
from speech import after_silence, opus, utterance


def found(clips):
    """Findings for `(split, id, label, file)`."""
    facts = []
    with Shelf() as shelf:
        for split, name, label, audio in clips:
            blank = ClipFacts(
                split=split, clip_id=name, label=label, raw_label=label, speaker=None, text=None
            )
            facts.append(clip_facts(Clip(id=name, index=0, label=label, audio=audio), blank))
            if facts[-1].sketch:
                shelf.put(len(facts) - 1, facts[-1].sketch)
        return list(duplicate_findings(facts, shelf))


def named(finding):
    return finding.kind, [member.clip_id for member in finding.clips], finding.splits


ONE, OTHER = utterance(1), utterance(2)


def test_the_same_file_is_identical():
    (finding,) = found(
        [
            ("val", "a", "sad", encoded(ONE)),
            ("val", "b", "sad", encoded(OTHER)),
            ("train", "c", "sad", encoded(ONE)),
        ]
    )
    assert named(finding) == (FindingKind.IDENTICAL_AUDIO, ["a", "c"], ("val", "train"))
    assert finding.message.startswith("the same file: val:a (sad), train:c (sad)")


def test_the_same_samples_in_another_container_are_identical():
    exact = (ONE * 32_000).astype(np.int16)
    (finding,) = found(
        [("val", "a", "sad", encoded(exact)), ("val", "b", "sad", encoded(exact, form="FLAC"))]
    )
    assert finding.message.startswith("the same samples in different files")


def test_different_labels_on_one_recording_conflict():
    copy = opus(after_silence(ONE))
    near, conflict = found(
        [
            ("val", "a", "sad", encoded(ONE)),
            ("val", "b", "sad", encoded(OTHER)),
            ("train", "c", "happy", copy),
        ]
    )
    assert named(near) == (FindingKind.NEAR_IDENTICAL_AUDIO, ["a", "c"], ("val", "train"))
    assert named(conflict) == (FindingKind.CONFLICTING_LABELS, ["a", "c"], ("val", "train"))
    assert "labelled happy and sad" in conflict.message
    assert 0.75 <= near.value <= 1


def test_a_copy_without_a_label_contradicts_nothing():
    (near,) = found([("val", "a", "sad", encoded(ONE)), ("val", "b", "", encoded(ONE))])
    assert named(near)[:2] == (FindingKind.IDENTICAL_AUDIO, ["a", "b"])


def test_copies_of_identical_clips_are_one_group():
    whole = encoded(ONE)
    identical, near = found(
        [("val", n, "sad", a) for n, a in (("a", whole), ("b", whole), ("c", opus(ONE)))]
    )
    assert named(identical)[:2] == (FindingKind.IDENTICAL_AUDIO, ["a", "b"])
    assert named(near)[:2] == (FindingKind.NEAR_IDENTICAL_AUDIO, ["a", "b", "c"])


def test_a_long_group_is_cut_short_in_the_message_only():
    (finding,) = found([("val", f"c{i}", "sad", encoded(ONE)) for i in range(6)])
    assert len(finding.clips) == 6
    assert finding.message.endswith("and 2 more")


def test_silent_clips_are_not_near_to_each_other():
    quiet = [encoded(ONE[:n] * 0) for n in (8000, 9000)]
    assert found([("val", str(i), "sad", a) for i, a in enumerate(quiet)]) == []
