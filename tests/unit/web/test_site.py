import json
import re
from importlib import resources

import numpy as np
import pytest

from build import classifier, labels_metadata
from serval.audio import decode
from serval.errors import ConfigError, ModelError
from serval.models.load import load_model
from serval.web import WebOptions, write_site
from serval.web.server import POLICY
from serval.web.site import EXPORTS

THREE = WebOptions(clips=3)


@pytest.fixture
def site(model_file, tmp_path):
    return write_site([str(model_file)], tmp_path / "site", THREE)


def document(site):
    return json.loads((site.folder / "site.json").read_text("utf-8"))


def test_the_model_is_in_it_as_it_is(site, model_file):
    (told,) = document(site)["models"]
    assert (site.folder / told["file"]).read_bytes() == model_file.read_bytes()
    model = load_model(str(model_file))
    assert told["labels"] == list(model.labels)
    assert told["sha256"] == model.identity.sha256
    assert (told["sample_rate"], told["normalize"], told["outputs"]) == (16_000, "peak", "logits")
    assert told["input"] == {"name": "input_values", "type": "float32", "rank": 2}
    assert told["mask"] is None


def test_a_mask_is_told_with_its_type(tmp_path):
    path = classifier(tmp_path / "masked.onnx", mask=True, metadata=labels_metadata())
    (told,) = document(write_site([str(path)], tmp_path / "site", THREE))["models"]
    assert told["mask"] == {"name": "attention_mask", "type": "int64", "rank": 2}
    assert told["mask_marks"] == "valid"


def test_each_clip_has_the_logits_of_python(site, model_file):
    model = load_model(str(model_file))
    clips = document(site)["clips"]
    assert len(clips) == 4
    for clip in clips:
        samples = decode((site.folder / clip["file"]).read_bytes(), 16_000).samples
        logits = model.logits(samples[np.newaxis], np.array([len(samples)]))[0]
        assert clip["logits"]["emo"] == pytest.approx(logits.tolist())
    assert [clip["name"] for clip in clips][:2] == [
        "voice f1, meant angry",
        "voice m2, meant happy",
    ]


def test_clips_are_spread_over_the_emotions(model_file, tmp_path):
    site = write_site([str(model_file)], tmp_path / "site", WebOptions(clips=16))
    emotions = {clip["file"].split("/")[1].split("_")[0] for clip in document(site)["clips"]}
    assert len(emotions) == 8
    assert len(document(site)["clips"]) == 17
    assert [clip["file"] for clip in document(site)["samples"]] == [
        "clips/angry_f1.flac", "clips/happy_m2.flac", "clips/sad_f3.flac",
    ]  # fmt: skip


def test_every_module_that_is_imported_is_there_and_gives_what_is_taken(site):
    for script in site.folder.glob("*.js"):
        text = script.read_text("utf-8")
        for names, module in re.findall(r"import \{ ([^}]+) \} from \"\./([\w/.-]+)\"", text):
            given = (site.folder / module).read_text("utf-8")
            for name in names.split(", "):
                assert re.search(rf"export (const|async function\*) {name}\b", given) or (
                    re.search(rf"export {{[^}}]*\b{name}\b", given)
                ), (script.name, name)
    assert (site.folder / "vendor" / "onnxruntime.LICENSE").is_file()


def test_what_is_taken_of_the_report_is_defined_there():
    for name, (_, exports) in EXPORTS.items():
        script = (resources.files("serval") / "report" / "assets" / name).read_text("utf-8")
        assert all(f"const {export} =" in script for export in exports)


def test_the_page_may_connect_to_its_own_place_alone(site):
    page = (site.folder / "index.html").read_text("utf-8")
    assert "{{" not in page
    assert "connect-src &#x27;self&#x27;;" in page
    assert "unsafe-inline" not in POLICY
    assert not re.search(r"(?:src|href)=\"https?:", page)
    assert "require-corp" in (site.folder / "_headers").read_text("utf-8")


def test_a_name_of_a_model_is_no_markup(tmp_path):
    path = classifier(tmp_path / "<script>x.onnx", metadata=labels_metadata())
    site = write_site([str(path)], tmp_path / "site", THREE)
    assert "<script>x" not in (site.folder / "index.html").read_text("utf-8")


def test_models_of_one_name_are_told_apart(tmp_path):
    paths = []
    for seed in (0, 1):
        (tmp_path / str(seed)).mkdir()
        path = tmp_path / str(seed) / "emo.onnx"
        paths.append(str(classifier(path, seed=seed, metadata=labels_metadata())))
    site = write_site(paths, tmp_path / "site", THREE)
    assert [model["name"] for model in document(site)["models"]] == ["emo (1)", "emo (2)"]
    assert set(document(site)["clips"][0]["logits"]) == {"emo (1)", "emo (2)"}


def test_what_does_not_run_is_refused_before_anything_is_written(tmp_path):
    path = classifier(tmp_path / "emo.onnx", metadata=labels_metadata())
    with pytest.raises(ConfigError, match="--parity-clips is 65; give 3 to 64"):
        write_site([str(path)], tmp_path / "site", WebOptions(clips=65))
    short = WebOptions(clips=3, max_seconds=0.5)
    with pytest.raises(ModelError, match="takes clips of 1 to 4 s"):
        write_site([str(path)], tmp_path / "site", short)
    assert not (tmp_path / "site").exists()


def test_a_model_of_dimensions_is_told(tmp_path):
    names = ("arousal", "valence")
    stated = labels_metadata(names, task="dimensions", scale="0..1")
    path = classifier(tmp_path / "dims.onnx", k=2, metadata=stated)
    with pytest.raises(ModelError, match="gives values of arousal, valence, and a page names"):
        write_site([str(path)], tmp_path / "site", THREE)


def test_other_peoples_files_are_left_alone(model_file, site, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years", "utf-8")
    with pytest.raises(ConfigError, match="holds other files; name a new folder"):
        write_site([str(model_file)], tmp_path / "mine", THREE)
    with pytest.raises(ConfigError, match="is a file; name a folder"):
        write_site([str(model_file)], model_file, THREE)
    assert write_site([str(model_file)], site.folder, THREE).folder == site.folder


def test_nothing_of_an_earlier_site_stays_online(site, model_file):
    for old in ("models/1.onnx", "clips/old.flac", "vendor/ort.webgpu.min.mjs", "mine.txt"):
        (site.folder / old).write_text("old", "utf-8")
    write_site([str(model_file)], site.folder, THREE)
    found = {file.relative_to(site.folder).as_posix() for file in site.folder.rglob("*")}
    assert not found & {"models/1.onnx", "clips/old.flac", "vendor/ort.webgpu.min.mjs"}
    assert {"models/0.onnx", "vendor/onnxruntime.LICENSE", "mine.txt"} <= found


def test_the_sizes_are_those_on_disk(site, model_file):
    whole = sum(file.stat().st_size for file in site.folder.rglob("*") if file.is_file()) / 1e6
    assert site.size_mb == pytest.approx(whole, abs=0.05)
    vendor = site.folder / "vendor"
    licences = sum(file.stat().st_size for file in vendor.glob("*.LICENSE")) / 1e6
    assert 12.4 < site.first_mb < site.size_mb - licences
    assert site.gpu_mb is None


def test_a_large_model_is_told(model_file, tmp_path, monkeypatch):
    monkeypatch.setattr("serval.web.site.MUCH_MB", 0.001)
    note, *_ = write_site([str(model_file)], tmp_path / "site", THREE).notes
    assert "much for a phone" in note
