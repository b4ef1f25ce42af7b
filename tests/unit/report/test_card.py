import re
from dataclasses import replace

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries
from sklearn import metrics

from pages import HARM, evaluated, spoken_set
from runs import run_of, run_of_dimensions, run_of_sets
from serval.errors import ConfigError
from serval.report.card import card_text, hub_dataset, write_card
from serval.run import Run

FACTS = {"fingerprint": "0" * 64, "licence": "x", "revision": "", "location": "", "n_clips": 4}


@pytest.fixture
def run(tmp_path):
    return evaluated(tmp_path, spoken_set(tmp_path / "clips", 24))


def with_dataset(run: Run, **facts):
    data = dict(run.provenance.dataset) | facts
    return replace(run, provenance=replace(run.provenance, dataset=data))


def test_a_new_card_is_one_that_the_hub_can_read(run, tmp_path):
    (path,) = write_card(run, tmp_path / "README.md")
    card = ModelCard.load(path)
    results = {result.metric_name: result for result in card.data.eval_results}
    accuracy = results["Accuracy (WA)"]
    assert accuracy.metric_type == "accuracy"
    assert accuracy.metric_value == pytest.approx((run.truth == run.predicted).mean(), abs=1e-4)
    low, high = accuracy.metric_args["interval"]
    assert low <= accuracy.metric_value <= high
    assert accuracy.task_type == "audio-classification"
    assert card.data.pipeline_tag == "audio-classification"
    assert "### Limits" in card.text


def test_the_hub_gets_scikit_learns_numbers(tmp_path):
    truth, said = [0, 0, 1, 1], [0, 2, 1, 1]
    card = ModelCard(card_text(with_dataset(run_of(tmp_path / "run", truth, said), **FACTS)))
    results = {(one.metric_type, one.metric_args.get("average")): one.metric_value
               for one in card.data.eval_results}  # fmt: skip
    for name, score in (("f1", metrics.f1_score), ("recall", metrics.recall_score)):
        expected = score(truth, said, average="macro", zero_division=0)
        assert results[name, "macro"] == pytest.approx(expected, abs=1e-4)
    marks = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]], dtype=bool)
    several = run_of_sets(tmp_path / "sets", marks, [[0.9, 0.1, 0.9]] * 3)
    several = with_dataset(several, **FACTS)
    (macro, _) = ModelCard(card_text(several)).data.eval_results
    expected = metrics.f1_score(marks, [[1, 0, 1]] * 3, average="macro", zero_division=0)
    assert macro.metric_value == pytest.approx(expected, abs=1e-4)
    assert macro.metric_name == "macro F1 of all 3 emotions"


def test_the_hub_gets_no_number_that_is_none(tmp_path):
    place = {"location": "hf:org/set"}
    ratings = np.array([[1.0, 5.0], [4.0, 2.0]])
    two = run_of_dimensions(tmp_path / "two", ratings, ratings + 0.1, names=("arousal", "valence"))
    (ccc, *_) = ModelCard(card_text(with_dataset(two, **FACTS))).data.eval_results
    assert ccc.metric_args == {"scale": "1..7"}, "two clips have no interval"
    none = with_dataset(run_of(tmp_path / "none", [], []), **FACTS | place)
    assert write_card(none, tmp_path / "README.md") == (tmp_path / "README.md",)
    assert "nan" not in (tmp_path / "README.md").read_text()


def test_what_a_card_says_already_stays(run, tmp_path):
    path = tmp_path / "README.md"
    path.write_text("---\nlicense: mit\ntags: [mine]\n---\n# Emo\n\nBefore.\n", "utf-8")
    write_card(run, path)
    text = path.read_text("utf-8").replace("Before.", "Before.\n\nMore.") + "\nAfter.\n"
    path.write_text(text, "utf-8")
    write_card(run, path)
    card = ModelCard.load(path)
    assert card.data.license == "mit"
    assert card.data.tags == ["mine", "speech-emotion-recognition"]
    assert len(card.data.eval_results) == 4
    assert card.text.count("## Evaluation") == 1
    assert card.text.index("More.") < card.text.index("## Evaluation") < card.text.index("After.")


def test_a_card_keeps_its_line_ends_and_may_begin_with_a_mark(run, tmp_path):
    path = tmp_path / "README.md"
    path.write_bytes(b"\xef\xbb\xbf---\r\nlicense: mit\r\n---\r\n# Emo\r\n\r\nBefore.\r\n")
    write_card(run, path)
    written = path.read_bytes()
    assert written.startswith(b"---\r\nlicense: mit\r\n")
    assert written.count(b"\n") == written.count(b"\r\n")
    assert ModelCard.load(path).data.eval_results


@pytest.mark.parametrize(
    ("runtime", "library"),
    [({}, "onnx"), ({"runtime": {"name": "openvino"}}, "openvino"),
     ({"runtime": {"name": "torch"}}, "pytorch"), ({"runtime": {"name": "python"}}, None)],
)  # fmt: skip
def test_the_library_is_that_of_the_model(run, runtime, library):
    model = dict(run.provenance.model) | runtime
    told = replace(run, provenance=replace(run.provenance, model=model))
    assert ModelCard(card_text(told)).data.library_name == library


def test_a_file_that_is_no_card_gets_the_section_and_nothing_else(run, tmp_path):
    path = tmp_path / "README.md"
    mine = "# A project\n\nWith words of its own.\n"
    path.write_text(mine, "utf-8")
    write_card(run, path)
    write_card(run, path)
    text = path.read_text("utf-8")
    assert text.startswith(mine)
    assert text.count("## Evaluation") == 1
    assert "model-index" not in text


def test_a_card_that_is_printed_is_the_one_that_would_be_written(run, tmp_path):
    (path,) = write_card(run, tmp_path / "CARD.md")
    assert path.read_text("utf-8") == card_text(run)


def test_results_on_other_data_stay_in_the_metadata(run, tmp_path):
    path = tmp_path / "README.md"
    write_card(run, path)
    write_card(with_dataset(run, name="other"), path)
    kinds = {result.dataset_name for result in ModelCard.load(path).data.eval_results}
    assert kinds == {"set.csv", "other"}


def test_another_score_of_the_same_data_stays_in_the_metadata(run, tmp_path):
    path = tmp_path / "README.md"
    write_card(run, path)
    card = ModelCard.load(path)
    (first, *_) = card.data.eval_results
    own = replace(first, metric_type="wer", metric_name="Word errors", metric_value=0.5)
    stale = replace(first, metric_value=0.123)
    card.data.eval_results = [own, stale]
    path.write_text(str(card), encoding="utf-8")
    write_card(run, path)
    found = [(one.metric_name, one.metric_value) for one in ModelCard.load(path).data.eval_results]
    assert ("Word errors", 0.5) in found
    assert [value for name, value in found if name == first.metric_name] == [first.metric_value]


def test_a_card_that_cannot_be_read_is_left_alone(run, tmp_path):
    path = tmp_path / "README.md"
    path.write_text("---\nmodel-index: 7\n---\n", "utf-8")
    with pytest.raises(ConfigError, match=r"metadata of .*README\.md cannot be read"):
        write_card(run, path)
    assert path.read_text("utf-8") == "---\nmodel-index: 7\n---\n"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"name": "hf:org/set"}, "org/set"),
        ({"name": "ssi", "location": "hf://datasets/org/set@main/x"}, "org/set"),
        ({"name": "demo", "location": "builtin"}, None),
    ],
)
def test_which_hub_set_it_was(run, facts, expected):
    assert hub_dataset(with_dataset(run, **{"location": ""} | facts)) == expected


def test_a_hub_set_also_gets_the_hub_s_results_file(run, tmp_path):
    hub = with_dataset(run, name="hf:org/set", revision="a" * 40, split="test")
    _, path = write_card(hub, tmp_path / "card" / "README.md")
    assert path == tmp_path / "card" / ".eval_results" / "org--set.yaml"
    (entry,) = parse_eval_result_entries(yaml.safe_load(path.read_text("utf-8")))
    assert entry.dataset_id == "org/set"
    assert entry.dataset_revision == "a" * 40
    assert entry.value == pytest.approx((run.truth == run.predicted).mean(), abs=1e-4)
    assert "split test" in entry.notes


def test_names_from_data_are_not_markup_in_the_card(tmp_path):
    labels = tuple(f"{name}{HARM}" for name in ("angry", "happy"))
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 8, labels=labels), labels=labels)
    (path,) = write_card(run, tmp_path / "README.md")
    body = ModelCard.load(path).text
    assert not re.search(r"(?<!\\)<(?!!-- serval)", body)


def test_an_entity_in_a_name_is_shown_as_it_is_written(run, tmp_path):
    (path,) = write_card(with_dataset(run, name="a &amp; b ~~c~~"), tmp_path / "README.md")
    assert r"a \&amp; b \~\~c\~\~" in ModelCard.load(path).text


def test_a_card_without_an_answer_says_so_and_no_more(tmp_path):
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 2, broken=2))
    (path,) = write_card(run, tmp_path / "README.md")
    text = ModelCard.load(path).text
    assert "emo answered no clip." in text
    assert "n/a to n/a" not in text
    assert "Guessing" not in text


def with_model(run: Run, **facts):
    model = dict(run.provenance.model) | facts
    return replace(run, provenance=replace(run.provenance, model=model))


def test_a_card_says_how_a_saved_head_was_made_as_far_as_that_can_be_read(run):
    assert "How it was made" not in card_text(run)
    scores = '{"uar": [0.5, 0.4, 0.6], "mean_of_folds": 0.51, "deviation_of_folds": 0.02}'
    made = {"encoder": "enc", "encoder_sha256": "ab" * 32, "cross_validated": scores}
    text = card_text(with_model(run, made_of=made)).replace("\N{NO-BREAK SPACE}", " ")
    assert "- Encoder: enc, abababababababab\n" in text
    assert (
        "- Cross-validated: UAR 50.0 % on speakers that the head never heard (40.0 % to 60.0 %); "
        "mean of the folds 0.5100, standard deviation 0.0200\n"
    ) in text
    for odd in ("[]", "1", "{", '{"uar": [1]}', '{"uar": 1, "mean_of_folds": "x"}', '"uar"'):
        text = card_text(with_model(run, made_of=made | {"cross_validated": odd, "head": HARM}))
        assert "Cross-validated" not in text
        assert HARM not in text
