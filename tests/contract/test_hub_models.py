"""Models and checkpoints of the hub through its real client, from a hub on 127.0.0.1."""

import json
from pathlib import Path

import onnx
import pytest

from apart import apart
from build import EMOTIONS, classifier, speech_set
from conftest import process_environment
from contract.hub import Hub, Repo, serving
from serval.run import load_run
from serval.sweep.sweep import card_corpora

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hub models")]

CONFIG = {"id2label": {str(i): name for i, name in enumerate(reversed(EMOTIONS))}}


@pytest.fixture(scope="module")
def module_hub():
    with serving(Hub()) as running:
        yield running


@pytest.fixture
def hub(module_hub):
    """A hub that nobody asked yet, and that has nothing."""
    module_hub.asked.clear()
    module_hub.repos.clear()
    return module_hub


@pytest.fixture(scope="module")
def told(module_hub):
    """What libraries read on import: that the hub is ours."""
    return {"HF_ENDPOINT": module_hub.url, "HF_HUB_DISABLE_TELEMETRY": 1}


@pytest.fixture(scope="module")
def processes():
    of_serval = ("serval.models.load", "serval.evaluation", "serval.models.hub")
    ready = ("contract.models", *of_serval, "scipy.optimize", "pandas")
    again = ("contract", "commandline", "serval", "huggingface_hub")
    with apart(process_environment(), ready, again) as calls:
        yield calls


@pytest.fixture
def ask_each(processes, told, tmp_path):
    """Call one command line after the other in one process whose hub is ours."""

    def run(commands, **env):
        known = told | {"HF_HOME": tmp_path / "hf"} | env
        return processes.call("contract.models:called_each", commands, cwd=tmp_path, **known).value

    return run


@pytest.fixture(scope="module")
def with_torch(told, tmp_path_factory):
    """Processes of our hub from their start: transformers asks it too, and imports for seconds."""
    pytest.importorskip("torch")
    home = {"HF_HOME": tmp_path_factory.mktemp("hf")}
    ready = ("contract.models", "checkpoints", "serval.export.flow", "serval.evaluation")
    with apart(process_environment(**told | home), ready) as calls:
        yield calls


@pytest.fixture
def ask(with_torch, tmp_path):
    """Call one command line where torch is."""

    def run(*arguments):
        command = [str(argument) for argument in arguments]
        (done,) = with_torch.call("contract.models:called_each", [command], cwd=tmp_path).value
        return done

    return run


def published(folder, external=False):
    """A model as the hub has them: its file in `onnx/`, what it expects in the folder above."""
    path = classifier(folder / "model.onnx")
    if external:
        model = onnx.load(path)
        onnx.save(model, path, save_as_external_data=True, location="weights.bin",
                  size_threshold=64)  # fmt: skip
    files = {f"onnx/{file.name}": file.read_bytes() for file in (path, *folder.glob("weights.bin"))}
    config = {"config.json": json.dumps(CONFIG).encode(), "pytorch_model.bin": b"large"}
    return Repo(files | config | {"README.md": b"---\ndatasets: [org/ravdess]\n---\n"})


def test_models_of_the_hub_are_evaluated_and_then_come_from_the_cache(hub, ask_each, tmp_path):
    """One that is one file, and one whose weights are in a second."""
    names = ("emo", "beside")
    for name in names:
        (tmp_path / name).mkdir()
        hub.repos[f"org/{name}"] = published(tmp_path / name, external=name == "beside")
    clips = str(speech_set(tmp_path / "clips", 8))

    def evaluated(model, folder):
        out = str(tmp_path / folder)
        return ("evaluate", "-m", model, "-d", clips, "-o", out, "--no-plots")

    for done in ask_each([evaluated(f"hf:org/{name}", name + "_out") for name in names]):
        assert done["returncode"] == 0, done["stderr"]
    assert "pytorch_model.bin" not in hub.fetched()
    hub.asked.clear()
    again = [evaluated(f"hf:org/{name}/onnx/model.onnx", name + "_again") for name in names]
    for done in ask_each(again, HF_HUB_OFFLINE=1):
        assert done["returncode"] == 0, done["stderr"]
    assert hub.asked == []
    for name in names:
        run = load_run(tmp_path / f"{name}_out")
        assert tuple(run.labels) == tuple(reversed(EMOTIONS))
        assert run.provenance.model["name"].endswith(f"{name}/model")
        assert card_corpora(Path(run.provenance.model["path"])) == ("org/ravdess",)
        assert load_run(tmp_path / f"{name}_again").logits.tolist() == run.logits.tolist()


def test_a_name_that_is_not_one_model_is_one_line(hub, ask_each):
    two = {"onnx/model.onnx": b"1", "onnx/model_int8.onnx": b"2"}
    hub.repos |= {"org/two": Repo(two), "org/none": Repo({"config.json": b"{}"})}
    cases = {
        "hf:org/two": "has 2 .onnx files; name one: hf:org/two/onnx/model.onnx, hf:org/two/onnx/",
        "hf:org/none": "has neither weights of a checkpoint nor an .onnx file",
        "hf:org/two/model.onnx": "it has no such file; leave the file out to be told which it has",
        "hf:org/gone": "no such public model",
        "hf:org/-y-/model.onnx": "not the name of a hub model; write hf:ORG/NAME",
        "hf:org": "not the name of a hub model; write hf:ORG/NAME",
    }
    answers = ask_each([("evaluate", "-m", name) for name in cases])
    for done, said in zip(answers, cases.values(), strict=True):
        assert done["returncode"] == 2
        assert done["stderr"].startswith("serval: hub model org")
        assert said in done["stderr"]
        assert done["stderr"].count("\n") == 1


@pytest.mark.parametrize(
    ("env", "cases"),
    [
        (
            {"HF_ENDPOINT": "http://127.0.0.1:9"},
            {
                "hf:org/emo": "the hub cannot be reached; check the network",
                "hf:org/emo/model.onnx": "the hub cannot be reached; check the network",
            },
        ),
        (
            {"HF_HUB_OFFLINE": 1},
            {
                "hf:org/emo": "must be named too, hf:org/emo/FILE.onnx",
                "hf:org/emo/model.onnx": "not in the hub's cache",
            },
        ),
    ],
    ids=["nobody answers", "offline"],
)
def test_a_hub_that_cannot_be_reached_is_one_line(ask_each, env, cases):
    answers = ask_each([("evaluate", "-m", name) for name in cases], **env)
    for done, said in zip(answers, cases.values(), strict=True):
        assert done["returncode"] == 2
        assert said in done["stderr"]
        assert done["stderr"].count("\n") == 1


def published_checkpoint(tmp_path):
    """A checkpoint with the newer and the older file of its weights."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    from checkpoints import checkpoint

    folder = checkpoint(tmp_path / "checkpoint", "wav2vec2")
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    torch.save(load_file(folder / "model.safetensors"), tmp_path / "weights.bin")
    files["pytorch_model.bin"] = (tmp_path / "weights.bin").read_bytes()
    return Repo(files | {"training_args.bin": b"no weights"})


def only_older(repo):
    """The same repository without the newer file of its weights."""
    return Repo({name: file for name, file in repo.files.items() if "safetensors" not in name})


def weights_fetched(hub, repo):
    return {name for name in hub.fetched(repo) if name.endswith((".bin", ".safetensors"))}


@pytest.mark.weekly
def test_a_checkpoint_of_the_hub_is_exported_and_its_weights_are_fetched_once(hub, ask, tmp_path):
    hub.repos["org/checkpoint"] = published_checkpoint(tmp_path)
    clips = speech_set(tmp_path / "clips", 4)
    done = ask("export", "hf:org/checkpoint", "-o", "model.onnx", "--dataset", clips)
    assert done["returncode"] == 0, done["stderr"]
    assert (tmp_path / "model.onnx").is_file()
    assert weights_fetched(hub, "org/checkpoint") == {"model.safetensors"}


def test_of_two_files_of_weights_one_is_fetched_and_the_older_where_it_is_the_only_one(
    hub, with_torch, tmp_path
):
    hub.repos["org/both"] = published_checkpoint(tmp_path)
    hub.repos["org/older"] = only_older(hub.repos["org/both"])
    names = ("hf:org/both", "hf:org/older")
    done = with_torch.call("contract.models:labels_of_checkpoints", names, cwd=tmp_path)
    assert done.value == [list(EMOTIONS)] * 2
    assert weights_fetched(hub, "org/both") == {"model.safetensors"}
    assert weights_fetched(hub, "org/older") == {"pytorch_model.bin"}


def test_a_checkpoint_of_another_toolkit_is_evaluated_from_the_hub(hub, ask, tmp_path):
    from published import emotion2vec

    folder = emotion2vec(tmp_path / "made").folder
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    hub.repos["org/emotion2vec"] = Repo(files | {"example.wav": b"RIFF"})
    clips = speech_set(tmp_path / "clips", 4, labels=("angry", "happy", "sad", "neutral"))
    named = ("-m", "hf:org/emotion2vec@v1", "-d", clips, "-o", "out", "--no-plots")
    done = ask("evaluate", *named)
    assert done["returncode"] == 0, done["stderr"]
    run = load_run(tmp_path / "out")
    assert run.provenance.model["name"] == "hf:org/emotion2vec@v1"
    assert run.labels[0] == "生气/angry"
    assert set(hub.fetched()) == {
        "config.yaml", "configuration.json", "tokens.txt", "model.pt"
    }  # fmt: skip


def test_of_a_checkpoint_and_a_file_the_one_that_was_taken_is_said(hub, with_torch, tmp_path):
    hub.repos["org/a-file-too"] = both = only_older(published_checkpoint(tmp_path))
    (tmp_path / "onnx").mkdir()
    file = classifier(tmp_path / "onnx" / "model.onnx").read_bytes()
    both.files["onnx/model.onnx"] = file
    hub.repos["org/several"] = Repo(both.files | {"onnx/model_int8.onnx": file})
    named = [("a-file-too", "auto"), ("a-file-too", "torch"), ("several", "auto")]
    names = [(f"hf:org/{name}", runtime) for name, runtime in named]
    first, second, third = with_torch.call("contract.models:taken", names, cwd=tmp_path).value
    is_file, note = first
    assert is_file
    assert note == (
        "hf:org/a-file-too has onnx/model.onnx, which was taken, and a checkpoint too: "
        "take that with --runtime torch."
    )
    assert not second[0]
    assert not third[0]
    assert third[-1].endswith(
        "The checkpoint was taken; there is an ONNX file too: take it with "
        "-m hf:org/several/onnx/model.onnx."
    )
