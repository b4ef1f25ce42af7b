import hashlib
import json
import os
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from serval import stopping
from serval.errors import RunError, RunLockedError
from serval.labels import LabelSet
from serval.probabilities import probabilities_of
from serval.records import Failure, Prediction
from serval.run import JOURNAL, Journal, Provenance, load_run, unfinished
from serval.run.lines import LONGEST_LINE

LOCK = ".journal.lock"
SHA256 = hashlib.sha256(b"").hexdigest()
LABELS = LabelSet(["angry", "happy", "sad"])


def provenance(**identity):
    return Provenance(
        labels=LABELS,
        model={"name": "m", "sha256": "00"},
        dataset={"name": "d", "split": "", "caveats": ()},
        options={"limit": None},
        platform={},
        identity={"model": "00", "limit": None} | identity,
    )


def prediction(index, **changes):
    logits = changes.get("logits") or tuple(float(v) for v in np.float32([0.1 * index, 0.25, 1.5]))
    known = {
        "clip_id": f"c{index}",
        "index": index,
        "truth": "happy",
        "predicted": "sad",
        "logits": logits,
        "probs": tuple(map(float, probabilities_of(np.float32(logits)))),
        "duration_s": 1.5,
        "inference_s": 0.01,
        "audio_sha256": SHA256,
        "speaker": "s1",
        "groups": {"gender": "F"},
    }
    return Prediction(**known | changes)


FAILURE = Failure(clip_id="c2", index=2, truth="sad", stage="decode", reason="empty file")


def write(folder, records, *, end=True, **identity):
    with Journal(folder=folder, provenance=provenance(**identity)) as journal:
        journal.begin("2026-01-01T00:00:00+00:00")
        for i, record in enumerate(records):
            journal.append(record, at_s=float(i + 1))
        if end:
            journal.finish(10.0, dropped={"OTH": 3}, peak_memory_mb=100.0)
    return folder


def test_what_was_written_comes_back_in_dataset_order(tmp_path):
    run = load_run(
        write(tmp_path, [prediction(3), FAILURE, prediction(0, speaker=None, groups={})])
    )
    assert run.clip_ids == ("c0", "c3")
    assert run.index.tolist() == [0, 3]
    assert run.truth.tolist() == [1, 1]
    assert run.predicted.tolist() == [2, 2]
    assert run.logits[1].tolist() == list(prediction(3).logits)
    np.testing.assert_allclose(run.probs.sum(axis=1), 1, rtol=1e-6)
    assert run.speakers == (None, "s1")
    assert run.groups == {"gender": (None, "F")}
    assert run.failures == (FAILURE,)
    assert run.complete
    assert run.seconds == 10.0
    assert run.dropped == {"OTH": 3}
    assert run.labels == LABELS
    assert len(run) == 2


def test_an_empty_run_has_no_rows(tmp_path):
    run = load_run(write(tmp_path, [], end=False))
    assert len(run) == 0
    assert run.logits.shape == (0, 3)
    assert not run.complete


@pytest.mark.parametrize("cut", [1, 7, 150])
def test_a_torn_last_line_is_cut_and_the_run_goes_on(tmp_path, cut):
    write(tmp_path, [prediction(0), prediction(1)], end=False)
    path = tmp_path / JOURNAL
    path.write_bytes(path.read_bytes()[:-cut])
    assert load_run(tmp_path).clip_ids == ("c0",)
    with Journal(folder=tmp_path, provenance=provenance()) as journal:
        assert (len(journal.done), 0 in journal.done) == (1, True)
        journal.begin("later")
        journal.append(prediction(1), 2.0)
        journal.finish(2.5, dropped={}, peak_memory_mb=1.0)
    run = load_run(tmp_path)
    assert run.clip_ids == ("c0", "c1")
    assert run.seconds == 1.0 + 2.5


def test_a_journal_torn_in_its_header_starts_over(tmp_path):
    (tmp_path / JOURNAL).write_text('{"kind": "header", "sche')
    write(tmp_path, [prediction(0)])
    assert load_run(tmp_path).clip_ids == ("c0",)


def test_a_header_that_cannot_be_written_leaves_the_earlier_journal(tmp_path):
    write(tmp_path, [prediction(0)])
    unwritable = provenance(model=object())
    with pytest.raises(TypeError), Journal(folder=tmp_path, provenance=unwritable, fresh=True):
        pass
    assert load_run(tmp_path).clip_ids == ("c0",)
    assert [path.name for path in tmp_path.glob("*.jsonl")] == [JOURNAL]


def test_a_torn_line_longer_than_one_read_is_cut(tmp_path):
    write(tmp_path, [prediction(0)], end=False)
    with (tmp_path / JOURNAL).open("a") as file:
        file.write('{"kind": "prediction", "clip_id": "' + "x" * 200_000)
    write(tmp_path, [prediction(1)])
    assert load_run(tmp_path).clip_ids == ("c0", "c1")


def test_a_complete_run_is_known_from_its_journal(tmp_path):
    write(tmp_path, [prediction(0)])
    with Journal(folder=tmp_path, provenance=provenance()) as journal:
        assert journal.complete


def test_another_run_is_refused_with_what_differs(tmp_path):
    write(tmp_path, [prediction(0)])
    with (
        pytest.raises(RunError, match=r"the model 'm' has other content, or .*--fresh"),
        Journal(folder=tmp_path, provenance=provenance(model="11")),
    ):
        pass
    assert load_run(tmp_path).clip_ids == ("c0",)


def test_a_python_model_of_an_earlier_version_is_not_gone_on_with(tmp_path):
    model = {"name": "my:one", "sha256": "00", "runtime": {"name": "python"}}
    earlier = replace(provenance(), model=model)
    now = replace(provenance(**{"model in Python": "my:one"}), model=model)
    with Journal(folder=tmp_path, provenance=earlier) as journal:
        journal.begin("2026-01-01")
    said = "it was stored by an earlier version, which did not tell the models of one Python file"
    with pytest.raises(RunError, match=said), Journal(folder=tmp_path, provenance=now):
        pass


def test_a_long_difference_is_shortened(tmp_path):
    write(tmp_path, [prediction(0)])
    with (
        pytest.raises(RunError, match=r"x{40,60}\.\.\."),
        Journal(folder=tmp_path, provenance=provenance(columns="x" * 500)),
    ):
        pass


def test_a_long_difference_is_shown_where_it_is(tmp_path):
    labels = [f"emotion {i}" for i in range(20)]
    write(tmp_path, [prediction(0)], labels=[*labels, "surprised"])
    with (
        pytest.raises(RunError, match=r'"surprised"\] and is now \.\.\..*"surprise"\];'),
        Journal(folder=tmp_path, provenance=provenance(labels=[*labels, "surprise"])),
    ):
        pass


def test_fresh_starts_over(tmp_path):
    write(tmp_path, [prediction(0)])
    with Journal(folder=tmp_path, provenance=provenance(model="11"), fresh=True) as journal:
        assert not journal.done
    assert len(load_run(tmp_path)) == 0


def test_a_second_writer_is_refused(tmp_path):
    with (
        Journal(folder=tmp_path, provenance=provenance()),
        pytest.raises(RunLockedError, match="in use by another"),
        Journal(folder=tmp_path, provenance=provenance()),
    ):
        pass
    write(tmp_path, [prediction(0)])
    assert len(load_run(tmp_path)) == 1


def test_no_run_is_one_line(tmp_path):
    with pytest.raises(RunError, match=r"no run in .*journal\.jsonl is missing"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json\n", "line 1 is not JSON"),
        ('{"kind": "end"}\n', "does not begin with a header"),
        ("", "does not begin with a header"),
        ('{"kind": "header", "schema_version": 99}\n', "schema 99, this serval reads 1"),
    ],
)
def test_a_spoilt_journal_is_one_line(tmp_path, text, reason):
    (tmp_path / JOURNAL).write_text(text)
    with pytest.raises(RunError, match=reason):
        load_run(tmp_path)


def test_a_closed_journal_takes_nothing(tmp_path):
    journal = Journal(folder=tmp_path, provenance=provenance())
    with pytest.raises(RunError, match="not open"):
        journal.append(prediction(0), 0.0)
    journal.__exit__()


def test_float32_survives_the_journal_bit_by_bit(tmp_path):
    rng = np.random.default_rng(1)
    logits = np.sort(rng.normal(0, 5, 3).astype(np.float32))
    exact = tuple(float(str(v)) for v in logits)
    run = load_run(write(tmp_path, [prediction(0, logits=exact)]))
    assert run.logits[0].tobytes() == logits.tobytes()


def test_the_journal_is_one_json_object_a_line(tmp_path):
    write(tmp_path, [prediction(0, clip_id="a\nb,ü")])
    lines = (tmp_path / JOURNAL).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["kind"] for line in lines] == [
        "header",
        "session",
        "prediction",
        "end",
    ]


def changed(folder, change, *, end=False):
    """A stored run of three clips and a failure whose lines `change` has had in its hands."""
    write(folder, [prediction(0), prediction(1), FAILURE, prediction(3)], end=end)
    path = folder / JOURNAL
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder


def setting(number, **values):
    """What sets fields of a line, counted from 1 as messages do."""
    return lambda lines: lines[number - 1].update(values)


HEADER, SESSION, FIRST, SECOND, FAILED = 1, 2, 3, 4, 5

SPOILT = {
    "index below 0": (setting(FIRST, index=-7), "line 3 has index -7"),
    "index beyond all sets": (setting(FIRST, index=10**9), "line 3 has index 1000000000"),
    "index of 20 digits": (setting(FIRST, index=10**20), "line 3 has a number that is too large"),
    "index in words": (setting(FIRST, index="0"), "line 3 has an index that is no whole number"),
    "index true": (setting(SECOND, index=True), "line 4 has an index that is no whole number"),
    "index of another clip": (setting(SECOND, index=0), "line 4 is a second record of clip 0"),
    "index of a failed clip": (setting(FAILED, index=1), "line 5 is a second record of clip 1"),
    "a line twice": (
        lambda lines: lines.append(lines[FIRST - 1]), "line 7 is a second record of clip 0"
    ),
    "logit NaN": (
        setting(SECOND, logits=[0.1, float("nan"), 1.5]), "line 4 has a logit that is not finite"
    ),
    "logit beyond float32": (
        setting(SECOND, logits=[0.1, 1e300, 1.5]), "line 4 has a logit that is not finite"
    ),
    "logit beyond float64": (
        setting(SECOND, logits=[0.1, 10**400, 1.5]), "line 4 has a number that is too large"
    ),
    "logit in words": (setting(SECOND, logits=["a", 0, 1]), "line 4 has logits or probs that are"),
    "logit true": (setting(SECOND, logits=[True, 0, 1]), "line 4 has logits or probs that are no"),
    "logits missing": (lambda lines: lines[3].pop("logits"), "line 4 has no 'logits'"),
    "logits too few": (setting(SECOND, logits=[0.1, 1.5]), "line 4 has 2 logits and 3 probs for"),
    "logits no list": (setting(SECOND, logits=None), "line 4 has logits or probs that are no"),
    "probability 5": (
        setting(SECOND, probs=[0.1, 5, 0.2]), "line 4 has a probability outside of 0 to 1"
    ),
    "probability NaN": (
        setting(SECOND, probs=[0.1, float("nan"), 0.2]), "line 4 has a probability outside"
    ),
    "probabilities of other logits": (
        setting(SECOND, probs=[0.2, 0.3, 0.5]), "line 4 has probabilities that do not follow"
    ),
    "predicted not the largest": (
        setting(SECOND, predicted="angry"), "line 4 names a label that has not the highest logit"
    ),
    "predicted unknown": (setting(SECOND, predicted="calm"), "line 4 has a label in 'predicted'"),
    "truth unknown": (setting(SECOND, truth="calm"), "line 4 has a label in 'truth'"),
    "truth a list": (setting(SECOND, truth=["sad"]), "line 4 has a label in 'truth'"),
    "truth of a failed clip unknown": (setting(FAILED, truth="x"), "line 5 has a label in 'truth'"),
    "labels turned round": (
        setting(HEADER, labels=["sad", "happy", "angry"]), "line 3 names a label that has not"
    ),
    "labels the same": (setting(HEADER, labels=["a", "a"]), "line 1 has labels that no model has"),
    "labels no list": (setting(HEADER, labels="angry"), "line 1 has labels that are not a list"),
    "labels missing": (lambda lines: lines[0].pop("labels"), "line 1 has labels that are not"),
    "labels numbers": (setting(HEADER, labels=[1, 2, 3]), "line 1 has labels that are not a list"),
    "model no object": (setting(HEADER, model=[]), "line 1 has no object 'model'"),
    "identity missing": (lambda lines: lines[0].pop("identity"), "line 1 has no object 'identity'"),
    "model of many levels": (
        setting(HEADER, model={"contract": json.loads("[" * 500 + "]" * 500)}),
        "line 1 has a 'model' of more than 20 levels",
    ),
    "labels of half a character": (
        setting(HEADER, labels=["a", "b", "\udce9"]), "line 1 has labels that are not a list"
    ),
    "contract no object": (setting(HEADER, model={"contract": 1}), "line 1 has an odd 'contract'"),
    "rate 0": (
        setting(HEADER, model={"contract": {"sample_rate": 0}}), "line 1 has an odd 'sample_rate'"
    ),
    "caveats a number": (setting(HEADER, dataset={"caveats": 5}), "line 1 has an odd 'caveats'"),
    "left out without a count": (
        setting(HEADER, dataset={"left_out": [{"reason": "x"}]}), "line 1 has an odd 'left_out'"
    ),
    "schema a list": (setting(HEADER, schema_version=[1]), "has schema"),
    "duration below 0": (setting(SECOND, duration_s=-1), "line 4 has a time that is negative"),
    "duration endless": (
        setting(SECOND, duration_s=float("inf")), "line 4 has a time that is negative or not finite"
    ),
    "duration in words": (setting(SECOND, duration_s="1"), "line 4 has a time that is no number"),
    "time missing": (lambda lines: lines[3].pop("at_s"), "line 4 has no 'at_s'"),
    "time NaN": (setting(SECOND, at_s=float("nan")), "line 4 has a number in 'at_s' that"),
    "name a number": (setting(SECOND, clip_id=1), "line 4 has no text in 'clip_id'"),
    "speaker a list": (setting(SECOND, speaker=[]), "line 4 has no text in 'speaker'"),
    "groups a list": (setting(SECOND, groups=["a"]), "line 4 has groups that are not text"),
    "group a number": (setting(SECOND, groups={"age": 5}), "line 4 has groups that are not text"),
    "notes a text": (setting(SECOND, notes="loud"), "line 4 has notes that are not a list"),
    "sha256 a path": (setting(SECOND, audio_sha256="../x"), "line 4 has an audio_sha256 that is"),
    "reason missing": (lambda lines: lines[4].pop("reason"), "line 5 has no 'reason'"),
    "kind unknown": (setting(SECOND, kind="note"), "line 4 is of no kind that this serval"),
    "kind a list": (setting(SECOND, kind=["end"]), "line 4 is of no kind that this serval"),
    "kind missing": (lambda lines: lines[3].pop("kind"), "line 4 has no 'kind'"),
    "a second header": (
        lambda lines: lines.insert(2, lines[0]), "line 3 is of no kind that"
    ),
    "no session": (lambda lines: lines.pop(1), "line 2 stands before the start of a session"),
    "a list": (lambda lines: lines.__setitem__(3, [1]), "line 4 is no JSON object"),
    "the first clip gone": (lambda lines: lines.__setitem__(0, {}), "does not begin with a header"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "fault"), SPOILT.values(), ids=SPOILT)
def test_a_journal_is_not_believed(tmp_path, change, fault):
    folder = changed(tmp_path, change)
    before = (folder / JOURNAL).read_bytes()
    with pytest.raises(RunError, match=rf"journal\.jsonl .*{fault}"):
        load_run(folder)
    with pytest.raises(RunError, match=rf"journal\.jsonl .*{fault}"):
        load_run(folder, beside=[])
    with pytest.raises(RunError), Journal(folder=folder, provenance=provenance()):
        pass
    assert (folder / JOURNAL).read_bytes() == before


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda lines: lines.pop(FIRST - 1), "line 6 counts 3 predictions, but 2 stand above it"),
        (lambda lines: lines.pop(FAILED - 1), "line 6 counts 1 failures, but 0 stand above it"),
        (setting(FIRST, speaker="s2"), "line 7 has the sha256 of other lines"),
        (setting(HEADER, options={"limit": 3}), "line 7 has the sha256 of other lines"),
        (setting(7, sha256=None), "line 7 has the sha256 of other lines"),
        (lambda lines: lines[6].pop("sha256"), "line 7 has no 'sha256'"),
        (setting(7, dropped={"OTH": -1}), "line 7 has dropped clips that are not counts"),
        (setting(7, dropped_indices=["a"]), "line 7 has positions of dropped clips"),
        (setting(7, peak_memory_mb="x"), "line 7 has no number in 'peak_memory_mb'"),
        (lambda lines: lines.append(lines[6]), "line 8 stands behind the end of the run"),
        (lambda lines: lines.append(lines[1]), "line 8 stands behind the end of the run"),
    ],
)
def test_the_end_tells_whether_the_lines_above_are_those_that_were_written(tmp_path, change, fault):
    with pytest.raises(RunError, match=rf"journal\.jsonl {fault}"):
        load_run(changed(tmp_path, change, end=True))


def test_a_run_of_an_earlier_version_is_read_as_before(tmp_path):
    def as_it_was(lines):
        for name in ("predictions", "failures", "sha256", "dropped_indices"):
            del lines[-1][name]
        for line in lines:
            line.pop("notes", None)

    run = load_run(changed(tmp_path, as_it_was, end=True))
    assert (len(run), run.complete, run.dropped, run.dropped_indices) == (3, True, {"OTH": 3}, ())
    assert run.notes == ((), (), ())


def test_a_run_that_went_on_three_times_ends_with_the_digest_of_all(tmp_path):
    for index in range(3):
        write(tmp_path, [prediction(index)], end=False)
    path = tmp_path / JOURNAL
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    write(tmp_path, [replace(FAILURE, index=3)])
    lines = path.read_bytes().replace(b"\r\n", b"\n").splitlines(keepends=True)
    end = json.loads(lines[-1])
    assert end["sha256"] == hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    assert (end["predictions"], end["failures"]) == (3, 1)
    assert len(load_run(tmp_path)) == 3


def test_equal_highest_logits_allow_either_label(tmp_path):
    tied = prediction(0, logits=(1.0, 0.0, 1.0), predicted="angry")
    run = load_run(write(tmp_path, [tied, prediction(1, logits=(1.0, 0.0, 1.0))]))
    assert run.predicted.tolist() == [0, 2]


def test_outputs_with_a_sigmoid_have_a_probability_each(tmp_path):
    model = {"name": "m", "contract": {"outputs": "sigmoid"}}
    facts = replace(provenance(), model=model)
    scores = {"logits": (5.0, -200.0, 6.0)}
    probs = tuple(map(float, 1 / (1 + np.exp(-np.float64(scores["logits"])))))
    with Journal(folder=tmp_path, provenance=facts) as journal:
        journal.begin("now")
        journal.append(prediction(0, **scores, probs=probs), 1.0)
    np.testing.assert_allclose(load_run(tmp_path).probs, [probs], atol=1e-6)
    with Journal(folder=tmp_path, provenance=facts) as journal:
        journal.append(prediction(1, **scores), 2.0)
    with pytest.raises(RunError, match="line 4 has probabilities that do not follow"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"\xff\xfe\n", "line 2 is not JSON"),
        (b"[" * 100_000 + b"\n", "line 2 is not JSON"),
        (b'{"index": ' + b"9" * 5_000 + b"}\n", "line 2 is not JSON"),
        (b"x" * (LONGEST_LINE + 1), "line 2 is longer than 16 MB"),
        (b"some notes of mine", "line 2 is not one that serval began to write"),
    ],
    ids=["no UTF-8", "nested", "digits", "gigantic", "a foreign end"],
)
def test_no_line_is_too_odd_to_be_refused(tmp_path, line, fault):
    write(tmp_path, [], end=False)
    path = tmp_path / JOURNAL
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] + line)
    before = path.read_bytes()
    with pytest.raises(RunError, match=fault):
        load_run(tmp_path)
    with pytest.raises(RunError, match=fault), Journal(folder=tmp_path, provenance=provenance()):
        pass
    assert path.read_bytes() == before


def test_zeros_where_a_line_was_to_be_are_cut(tmp_path):
    write(tmp_path, [prediction(0)], end=False)
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"kind": "pred' + bytes(500))
    assert len(load_run(tmp_path)) == 1
    write(tmp_path, [prediction(1)])
    assert load_run(tmp_path).index.tolist() == [0, 1]


def foreign(folder):
    (folder / JOURNAL).write_text("what I wrote, without an end of line")


def foreign_lines(folder):
    (folder / JOURNAL).write_text('{"event": "login"}\n{"event": "logout"}\n')


def linked(folder):
    (folder / "mine.txt").write_text("what I wrote, without an end of line")
    (folder / JOURNAL).symlink_to(folder / "mine.txt")


def linked_run(folder):
    write(folder / "other", [prediction(0)], end=False)
    (folder / JOURNAL).symlink_to(folder / "other" / JOURNAL)


def dangling(folder):
    (folder / JOURNAL).symlink_to(folder / "nowhere")


def linked_lock(folder):
    (folder / "mine.txt").write_text("mine")
    (folder / ".journal.lock").symlink_to(folder / "mine.txt")


def a_folder(folder):
    (folder / JOURNAL).mkdir()


def a_pipe(folder):
    os.mkfifo(folder / JOURNAL)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there, and there are no pipes")
@pytest.mark.parametrize("fresh", [False, True], ids=["go on", "fresh"])
@pytest.mark.parametrize(
    "made",
    [foreign, foreign_lines, linked, linked_run, dangling, linked_lock, a_folder, a_pipe],
)
def test_what_is_not_ours_stays_as_it_is(tmp_path, made, fresh):
    made(tmp_path)

    def content():
        return {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and p.name != LOCK}

    before = content()
    with (
        pytest.raises(
            RunError, match=r"(journal\.jsonl|journal\.lock) is .*(move it away|another)"
        ),
        Journal(folder=tmp_path, provenance=provenance(), fresh=fresh),
    ):
        pass
    assert content() == before
    assert (
        not any(p.is_symlink() and not p.exists() for p in tmp_path.iterdir()) or made is dangling
    )


def test_a_spoilt_journal_of_ours_may_be_started_over(tmp_path):
    changed(tmp_path, setting(FIRST, index=-7))
    with Journal(folder=tmp_path, provenance=provenance(), fresh=True) as journal:
        assert not journal.done
    assert len(load_run(tmp_path)) == 0


def test_half_a_character_is_written_and_comes_back_as_a_question_mark(tmp_path):
    odd = {"clip_id": "a\udce9", "groups": {"na\ud800me": "b\udfff"}, "speaker": "ü\udce9"}
    run = load_run(write(tmp_path, [prediction(0, **odd), replace(FAILURE, reason="c\udce9")]))
    assert (run.clip_ids, run.speakers, run.groups) == (("a?",), ("ü?",), {"na?me": ("b?",)})
    assert run.failures[0].reason == "c?"
    assert json.loads((tmp_path / JOURNAL).read_bytes().splitlines()[2])["clip_id"] == "a\udce9"


def test_an_unfinished_run_says_so_and_how_far_it_is(tmp_path):
    assert unfinished(load_run(write(tmp_path / "whole", [prediction(0)]))) == ""
    run = load_run(write(tmp_path / "part", [prediction(0), FAILURE], end=False))
    assert "part is not finished: 2 clips so far" in unfinished(run)
    known = replace(run.provenance, dataset=run.provenance.dataset | {"n_clips": 1200})
    assert "2 of 1,200 clips so far" in unfinished(replace(run, provenance=known))


def test_an_interruption_that_was_lost_ends_the_work_at_the_next_record(tmp_path, monkeypatch):
    def go_on():
        with Journal(folder=tmp_path, provenance=provenance()) as journal:
            journal.begin("now")
            monkeypatch.setattr(stopping._TOLD, "asked", True)
            journal.append(prediction(0), 1.0)
            journal.append(prediction(1), 2.0)

    with pytest.raises(KeyboardInterrupt):
        go_on()
    assert load_run(tmp_path).clip_ids == ("c0",)


def named(name):
    return replace(provenance(), options={"limit": None, "name": name})


@pytest.mark.parametrize("end", [True, False], ids=["finished", "unfinished"])
def test_a_run_is_called_by_its_name_and_can_be_given_another(tmp_path, end):
    write(tmp_path, [prediction(0), prediction(1)], end=end)
    assert load_run(tmp_path).name == "m"
    with Journal(folder=tmp_path, provenance=named("int8 smooth")) as journal:
        assert journal.complete is end
    run = load_run(tmp_path)
    assert (run.name, len(run), run.complete) == ("int8 smooth", 2, end)
    with Journal(folder=tmp_path, provenance=named(None)) as journal:
        if not end:
            journal.append(prediction(2), at_s=3.0)
            journal.finish(4.0, dropped={}, peak_memory_mb=1.0)
    assert load_run(tmp_path).name == "int8 smooth"
    assert load_run(tmp_path).complete


def test_a_run_is_one_short_line(tmp_path):
    run = load_run(write(tmp_path, [prediction(i) for i in range(10)]))
    assert repr(run) == f"<Run m on d: 10 clips, in {tmp_path}>"


def later(index, **changes):
    return prediction(index, logits=(0.0, 0.25, 1.5), **changes)


def held_by_loading(folder, records):
    """The run, and the bytes that it needed at most while it was read."""
    write(folder, records)
    tracemalloc.start()
    run = load_run(folder)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return run, most


def test_a_clip_takes_under_300_bytes_of_memory_however_many_there_are(tmp_path):
    few, of_few = held_by_loading(tmp_path / "few", [later(i) for i in range(500)])
    many, of_many = held_by_loading(tmp_path / "many", [later(i) for i in range(2_500)])
    assert (of_many - of_few) / (len(many) - len(few)) < 300


def test_a_new_column_on_every_line_costs_no_more_than_its_line(tmp_path):
    n = 1_000
    records = [later(i, groups={f"column {i}": f"value {i}"}) for i in range(n)]
    run, most = held_by_loading(tmp_path / "r", records)
    assert most < 5_000 * n  # a cell for each clip in each column would be 8,000 a clip
    assert [run.groups[f"column {i}"][i] for i in range(n)] == [f"value {i}" for i in range(n)]
    assert run.groups["column 7"].count(None) == n - 1
