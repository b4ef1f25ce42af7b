"""Whether a head was trained, by its weights and by its answers."""

import json

import pytest

pytest.importorskip("torch")

import torch
import transformers

from build import EMOTIONS, speech_set
from checkpoints import WAVE
from published import LAYOUTS, audeering, ehcalabres
from serval.checkpoints import open_checkpoint
from serval.checkpoints.check import head_check
from serval.errors import ModelError
from serval.export import ExportOptions, export_checkpoint
from serval.models.load import load_model


def stock(folder, change=None):
    """A checkpoint as its initialiser left it, after `change` was done to the model."""
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(**WAVE)
    model = transformers.Wav2Vec2ForSequenceClassification(config)
    with torch.no_grad():
        (change or (lambda _model: None))(model)
    model.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def as_torch_draws(model):
    model.classifier.reset_parameters()


def trained_a_little(model):
    model.classifier.reset_parameters()
    model.classifier.weight[0] *= 3


def test_a_head_as_transformers_draws_it_is_refused_everywhere(tmp_path):
    folder = stock(tmp_path / "c")
    said = r"its head was never trained \(all biases of classifier are 0 and its weights are normal"
    with pytest.raises(ModelError, match=said):
        load_model(str(folder))
    with pytest.raises(ModelError, match=said):
        export_checkpoint(str(folder), tmp_path / "m.onnx", ExportOptions())
    assert not (tmp_path / "m.onnx").exists()


def test_a_head_as_torch_draws_it_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"weights of classifier are uniform between -0\.25 and"):
        load_model(str(stock(tmp_path / "c", as_torch_draws)))


def test_a_head_that_left_the_range_of_its_initialiser_is_not_fresh(tmp_path):
    check = head_check(open_checkpoint(stock(tmp_path / "c", trained_a_little), "c"))
    assert check.fresh == ""


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_published_layout_passes(layout, tmp_path):
    folder = LAYOUTS[layout](tmp_path / "c").folder
    check = head_check(open_checkpoint(folder, str(folder)))
    assert (check.verdict, check.fresh, check.doubts) == ("trained", "", ())


def test_answers_that_hardly_change_are_a_doubt_that_a_run_keeps(tmp_path):
    def deaf(model):
        model.classifier.weight.mul_(0.1)
        model.classifier.bias.copy_(torch.arange(8.0))

    model = load_model(str(stock(tmp_path / "c", deaf)))
    assert model.facts["head"]["verdict"] == "doubtful"
    assert "hardly change between noise, silence and a voice" in model.facts["warnings"][0]


def test_labels_without_names_are_a_doubt_until_they_are_stated(tmp_path):
    published = ehcalabres(tmp_path / "c")
    path = published.folder / "config.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in said.items() if k != "id2label"}))
    check = head_check(open_checkpoint(published.folder, "c"))
    assert check.verdict == "doubtful"
    assert "(LABEL_0, LABEL_1, ...): state all in the order of the outputs" in check.doubts[0]


def test_only_labels_that_have_no_name_are_called_so(tmp_path):
    folder = stock(tmp_path / "c", trained_a_little)
    path = folder / "config.json"
    names = [*EMOTIONS[:7], "LABEL_7"]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"id2label": dict(enumerate(names))}))
    (doubt,) = (d for d in head_check(open_checkpoint(folder, "c")).doubts if "name" in d)
    assert doubt.startswith("1 of its 8 labels has no name (LABEL_7): state all")


def test_a_head_of_nan_is_refused_everywhere(tmp_path, serval):
    def diverged(model):
        model.classifier.bias.fill_(torch.nan)

    folder = stock(tmp_path / "c", diverged)
    done = serval("models", "check", folder)
    assert (done.returncode, done.stdout) == (2, "")
    said = "tried on a second of noise, the model answered with NaN or infinite scores"
    assert said in done.stderr
    with pytest.raises(ModelError, match=said):
        load_model(str(folder))
    with pytest.raises(ModelError, match=said):
        export_checkpoint(str(folder), tmp_path / "m.onnx", ExportOptions())


def test_the_verb_says_what_a_checkpoint_is(tmp_path, serval):
    folder = audeering(tmp_path / "c").folder
    done = serval("models", "check", folder, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["task"] == "dimensions"
    assert said["labels"] == ["arousal", "dominance", "valence"]
    assert said["head"]["head"] == "mean over time, classifier.dense, tanh, classifier.out_proj"
    done = serval("models", "check", stock(tmp_path / "fresh"))
    assert done.returncode == 1
    assert "Its head was never trained: all biases of classifier are 0" in done.stdout


@pytest.mark.parametrize("name", ["serval-tiny", "nowhere"])
def test_what_is_no_checkpoint_is_sent_elsewhere(name, serval):
    done = serval("models", "check", name)
    assert done.returncode == 2
    assert "is no checkpoint, neither a folder with weights nor hf:ORG/NAME" in done.stderr


def test_labels_that_are_stated_settle_the_doubt(tmp_path, serval):
    folder = ehcalabres(tmp_path / "c").folder
    path = folder / "config.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in said.items() if k != "id2label"}))
    assert serval("models", "check", folder).returncode == 1
    assert serval("models", "check", folder, "--labels", ",".join(EMOTIONS)).returncode == 0


def test_what_is_stated_is_what_is_shown(tmp_path, serval):
    folder = stock(tmp_path / "c", trained_a_little)
    stated = ("--sample-rate", 8000, "--normalize", "none", "--multi-label", "--max-seconds", 9)
    document = json.loads(serval("models", "check", folder, *stated, "--json").stdout)
    shown = {k: document[k] for k in ("sample_rate", "normalize", "task", "max_seconds")}
    assert shown == {
        "sample_rate": 8000,
        "normalize": "none",
        "task": "emotions, several at once",
        "max_seconds": 9,
    }


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (("--labels", "a,b"), "8 outputs but 2 labels (a, b); state one for each output"),
        (("--output-name", "x"), "--output-name 'x' is of model files with several outputs"),
        (("--model-scale", "0..1"), "--model-scale '0..1' is of models of dimensions, but"),
    ],
)
def test_what_does_not_go_with_a_checkpoint_is_refused(tmp_path, serval, stated, said):
    done = serval("models", "check", stock(tmp_path / "c", trained_a_little), *stated)
    assert (done.returncode, said in done.stderr) == (2, True)


def test_an_evaluation_says_and_stores_what_the_check_found(tmp_path, serval):
    published = LAYOUTS["emotion2vec+"](tmp_path / "c")
    clips = speech_set(tmp_path / "clips", 8, labels=("ANG", "happy", "sadness", "neutrality"))
    done = serval("evaluate", "-m", published.folder, "-d", clips, "-o", "out", "--no-plots")
    assert done.returncode == 0, done.stderr
    assert "head trained (mean over time, proj), run by torch" in done.stderr
    said = "The set's labels, as the model calls them: ANG = 生气/angry, happy = 开心/happy, "
    assert said + "neutrality = 中立/neutral, sadness = 难过/sad" in done.stdout
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert results["model"]["head"]["verdict"] == "trained"
    assert results["metadata"]["failed_samples"] == 0
