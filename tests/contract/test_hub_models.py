"""Models and checkpoints of the hub through its real client, from a hub on 127.0.0.1."""

import json
from concurrent.futures import ThreadPoolExecutor

import onnx
import pytest

from build import EMOTIONS, classifier, speech_set
from contract.hub import Hub, Repo, serving
from serval.run import load_run

pytestmark = pytest.mark.slow

CONFIG = {"id2label": {str(i): name for i, name in enumerate(reversed(EMOTIONS))}}


@pytest.fixture
def hub():
    with serving(Hub()) as running:
        yield running


@pytest.fixture
def ask(hub, serval, tmp_path):
    """Run the command line against our hub."""

    def run(*arguments, **env):
        told = {"HF_HOME": tmp_path / "hf", "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": 1}
        return serval(*arguments, timeout=240, **(told | env))

    return run


def published(folder, external=False):
    """A model as the hub has them: its file in `onnx/`, what it expects in the folder above."""
    path = classifier(folder / "model.onnx")
    if external:
        model = onnx.load(path)
        onnx.save(model, path, save_as_external_data=True, location="model.onnx_data",
                  size_threshold=64)  # fmt: skip
    files = {f"onnx/{file.name}": file.read_bytes() for file in folder.glob("model.onnx*")}
    config = {"config.json": json.dumps(CONFIG).encode(), "pytorch_model.bin": b"large"}
    return Repo(files | config)


@pytest.mark.parametrize("external", [False, True])
def test_a_model_of_the_hub_is_evaluated_and_then_comes_from_the_cache(
    hub, ask, tmp_path, external
):
    (tmp_path / "made").mkdir()
    hub.repos["org/emo"] = published(tmp_path / "made", external)
    clips = speech_set(tmp_path / "clips", 8)
    done = ask("evaluate", "-m", "hf:org/emo", "-d", clips, "-o", "out")
    assert done.returncode == 0, done.stderr
    run = load_run(tmp_path / "out")
    assert tuple(run.labels) == tuple(reversed(EMOTIONS))
    assert run.provenance.model["name"].endswith("emo/model")
    assert "pytorch_model.bin" not in hub.fetched()

    named = ("-m", "hf:org/emo/onnx/model.onnx", "-d", clips, "-o", "again")
    hub.asked.clear()
    assert ask("evaluate", *named, HF_HUB_OFFLINE=1).returncode == 0
    assert hub.asked == []
    assert load_run(tmp_path / "again").logits.tolist() == run.logits.tolist()


def test_a_name_that_is_not_one_model_is_one_line(hub, ask):
    two = {"onnx/model.onnx": b"1", "onnx/model_int8.onnx": b"2"}
    hub.repos |= {"org/two": Repo(two), "org/none": Repo({"config.json": b"{}"})}
    cases = {
        "hf:org/two": "has 2 .onnx files; name one: hf:org/two/onnx/model.onnx, hf:org/two/onnx/",
        "hf:org/none": "has no .onnx file; make one: serval export hf:org/none -o model.onnx",
        "hf:org/two/model.onnx": "it has no such file; leave the file out to be told which it has",
        "hf:org/gone": "no such public model",
        "hf:org/-y-/model.onnx": "not the name of a hub model; write hf:ORG/NAME",
        "hf:org": "not the name of a hub model; write hf:ORG/NAME",
    }
    for name, said in cases.items():
        done = ask("evaluate", "-m", name)
        assert done.returncode == 2
        assert done.stderr.startswith("serval: hub model org")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_hub_that_cannot_be_reached_is_one_line(ask):
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    cases = (
        ("hf:org/emo", nobody, "the hub cannot be reached; check the network"),
        ("hf:org/emo/model.onnx", nobody, "the hub cannot be reached; check the network"),
        ("hf:org/emo", {"HF_HUB_OFFLINE": 1}, "must be named too, hf:org/emo/FILE.onnx"),
        ("hf:org/emo/model.onnx", {"HF_HUB_OFFLINE": 1}, "not in the hub's cache"),
    )
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(ask, "evaluate", "-m", name, **env) for name, env, _ in cases]
    for one, (_, _, said) in zip(asked, cases, strict=True):
        done = one.result()
        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("doubled", [True, False])
def test_the_weights_of_a_checkpoint_are_fetched_once(hub, ask, tmp_path, doubled):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    from checkpoints import checkpoint

    folder = checkpoint(tmp_path / "checkpoint", "wav2vec2")
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    torch.save(load_file(folder / "model.safetensors"), tmp_path / "weights.bin")
    files["pytorch_model.bin"] = (tmp_path / "weights.bin").read_bytes()
    if not doubled:
        del files["model.safetensors"]
    hub.repos["org/checkpoint"] = Repo(files | {"training_args.bin": b"no weights"})
    clips = speech_set(tmp_path / "clips", 4)
    done = ask("export", "hf:org/checkpoint", "-o", "model.onnx", "--clips", clips)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.onnx").is_file()
    weights = {name for name in hub.fetched() if name.endswith((".bin", ".safetensors"))}
    assert weights == {"model.safetensors" if doubled else "pytorch_model.bin"}
