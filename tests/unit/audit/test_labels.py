from dataclasses import replace

import pytest

from serval.audit.facts import ClipFacts
from serval.audit.faults import label_findings, leak_line, one_label_findings, shared_speakers
from serval.audit.findings import Finding, FindingKind, Member
from serval.audit.side import AuditOptions, open_sides


def fact(label="angry", *, split="val", speaker=None, text=None, n=0):
    return ClipFacts(
        split=split, clip_id=f"c{n}", label=label, raw_label=label, speaker=speaker, text=text
    )


def kinds(findings):
    return [(finding.kind, finding.value) for finding in findings]


def test_unknown_rare_and_absent_labels():
    facts = [fact("angry")] * 50 + [fact("happy")] * 49 + [fact("bored")] * 3 + [fact("")]
    assert kinds(label_findings(facts, "val", ("angry", "happy", "sad"))) == [
        (FindingKind.UNKNOWN_LABEL, 1),
        (FindingKind.UNKNOWN_LABEL, 3),
        (FindingKind.RARE_LABEL, 49),
        (FindingKind.ABSENT_LABEL, 0),
    ]


def test_messages_name_the_label_and_what_it_means():
    facts = [fact("bored", n=7), fact("happy")]
    unknown, rare, absent = label_findings(facts, "val", ("happy", "sad"))
    assert unknown.message == "label 'bored' is unknown: 1 clip of val; first: c7"
    assert rare.message == "label 'happy' has 1 clip in val: a recall of 50 % on them is ±98 points"
    assert absent.message == "label 'sad' has 0 clips in val: no recall at all"


@pytest.mark.parametrize(
    ("part", "kind"),
    [("speaker", FindingKind.ONE_LABEL_SPEAKER), ("text", FindingKind.ONE_LABEL_TEXT)],
)
def test_what_always_has_the_same_label_gives_it_away(part, kind):
    mixed = [fact(label, **{part: f"m{i % 3}"}) for i, label in enumerate(["angry", "sad"] * 30)]
    tied = [fact("sad", **{part: "tied"}) for _ in range(20)]
    (finding,) = one_label_findings(mixed + tied, "val")
    assert (finding.kind, finding.value) == (kind, 20)
    assert "'tied' has only the label 'sad'" in finding.message


def test_a_text_that_occurs_once_is_no_tie():
    facts = [fact(["angry", "sad"][i % 2], text=f"t{i}") for i in range(200)]
    assert list(one_label_findings(facts, "val")) == []


def test_a_set_with_a_single_label_has_no_ties():
    facts = [fact("sad", speaker="s1") for _ in range(50)]
    assert list(one_label_findings(facts, "val")) == []


def test_speakers_of_both_splits_are_found():
    facts = [fact(speaker="a"), fact(speaker="b"), fact(speaker="a", split="train"), fact()]
    (finding,) = shared_speakers(facts, ["val", "train"])
    assert finding.message == "speaker a: 1 clip in val, 1 in train"
    assert leak_line(facts, ["val", "train"], []) == (
        "1 of 2 speakers of val (33 % of its clips) also occur in train: "
        "a score says too little about new speakers; 1 of 4 clips name no speaker"
    )


def test_a_split_whose_speakers_are_all_known_says_nothing_about_new_ones():
    facts = [fact(speaker="a"), fact(speaker="a", split="train")]
    assert "a score says nothing" in leak_line(facts, ["val", "train"], [])


def test_strangers_do_not_leak():
    facts = [fact(speaker="a"), fact(speaker="b", split="train")]
    assert list(shared_speakers(facts, ["val", "train"])) == []
    assert leak_line(facts, ["val", "train"], []) == "no speaker that val names is named in train"


def test_a_recording_under_two_speakers_names_leaks_all_the_same():
    members = tuple(Member(split=s, clip_id=f"c{i}", label="sad")
                    for i, s in enumerate(("val", "val", "train")))  # fmt: skip
    both = Finding(
        kind=FindingKind.IDENTICAL_AUDIO,
        message="",
        splits=("val", "train"),
        clips=members,
        value=1.0,
    )
    inside = replace(both, splits=("val",), clips=members[:2])
    facts = [fact(speaker="a"), fact(speaker="a", n=1), fact(speaker="b", split="train")]
    said = leak_line(facts, ["val", "train"], [both, inside])
    assert said.startswith("2 of 2 clips of val are recordings that train has too")
    assert "recordings" not in leak_line(facts, ["val", "train"], [inside])


def test_speakers_that_are_not_named_cannot_be_compared():
    facts = [fact(speaker="a"), fact(split="train")]
    assert "cannot be compared" in leak_line(facts, ["val", "train"], [])


def test_one_split_alone_has_nothing_to_share():
    assert list(shared_speakers([fact(speaker="a")], ["val"])) == []
    assert leak_line([fact(speaker="a")], ["val"], []) is None


def test_a_preset_says_which_labels_are_expected():
    options = AuditOptions(dataset="demo", label_map="iemocap4")
    (side,) = open_sides(options)
    facts = [side.blank(clip) for clip in side.dataset.metadata(0, None)]
    labels = side.labels
    found = list(label_findings(facts, "demo", labels.labels, labels.is_left_out))
    assert labels.labels == ("angry", "happy", "neutral", "sad")
    assert {finding.kind for finding in found} == {FindingKind.RARE_LABEL}
    assert [finding.value for finding in found] == [8, 8, 16, 8]  # calm counts as neutral
    (own,) = open_sides(replace(options, labels=("neutral", "sad")))
    assert own.labels.labels == ("neutral", "sad")


def test_clips_without_a_speaker_are_among_all_clips_of_a_split():
    facts = [fact(speaker="s"), fact(), fact(), fact(), fact(split="train", speaker="s")]
    assert leak_line(facts, ["val", "train"], []) == (
        "1 of 1 speakers of val (25 % of its clips) also occur in train: a score says too little "
        "about new speakers; 3 of 5 clips name no speaker"
    )
