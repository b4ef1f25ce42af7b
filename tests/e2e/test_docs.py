"""Every `serval` command in the README and in docs/ is run, page by page, in an empty folder.

The folder holds what the pages speak of: `model.onnx`, `model.int8.onnx`, `my_clips.csv`,
`my_votes.csv`, `dim.onnx`, `my_ratings.csv`, `my_model.py`, `a.wav`, `b.flac`, and `RAVDESS` as it
was unzipped; of several emotions a clip `sigmoid.onnx`, `my_emotions.jsonl`, `my_emotions.csv` and
`my_marks.csv`. A line that ends in `# needs ...` is left out: it needs a network, an extra or a
checkpoint. A line that ends in `# exits 1` must end so.
"""

import csv
import json
import re
import shlex
import shutil

import numpy as np
import pytest
import soundfile

from build import EMOTIONS, classifier, encoded, labels_metadata, speech_set, voice, write_manifest
from conftest import ROOT
from corpus_trees import TREES
from graphs import classifier_graph, node
from serval.models.onnx import load_onnx

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(page):
    """The `serval` lines of a page with the exit code that each promises."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for block in BLOCK.findall(text):
        for line in block.splitlines():
            command, _, comment = line.partition("#")
            if command.startswith("serval ") and not comment.strip().startswith("needs"):
                promised = re.match(r" exits (\d)", comment)
                yield shlex.split(command)[1:], int(promised[1]) if promised else 0


def own_model():
    """The model in Python that docs/models.md shows."""
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(# my_model.py\n.*?)^```", page, re.MULTILINE | re.DOTALL)
    return block


def rated(folder):
    """A model of three dimensions, and ratings that it is near to: `dim.onnx`, `my_ratings.csv`."""
    names = ("arousal", "dominance", "valence")
    metadata = labels_metadata(names, task="dimensions", scale="0..1", normalize="none")
    path = classifier(folder / "dim.onnx", k=3, metadata=metadata)
    with (folder / "my_clips.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    heard = [soundfile.read(folder / row["path"], dtype="float32")[0] for row in rows]
    model = load_onnx(path)
    said = np.concatenate([model.logits(x[np.newaxis], np.array([len(x)])) for x in heard])
    low, high = float(np.floor(said.min())), float(np.ceil(said.max()))
    classifier(path, k=3, metadata=metadata | {"scale": f"{low:g}..{high:g}"})
    told = 1 + (said - low) * 6 / (high - low)
    told += np.random.default_rng(0).normal(0, 0.3, told.shape) * told.std(axis=0)
    for row, values in zip(rows, told.clip(1, 7), strict=True):
        row |= {name: f"{value:.3f}" for name, value in zip(names, values, strict=True)}
    write_manifest(folder / "my_ratings.csv", rows)


def voted(folder):
    """The clips, of which one listener in five heard something else: `my_votes.csv`."""
    with (folder / "my_clips.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for i, row in enumerate(rows):
        other = EMOTIONS[(EMOTIONS.index(row["label"]) + 1 + i % 3) % len(EMOTIONS)]
        row["votes"] = f"{row['label']} 4, {other} 1"
    write_manifest(folder / "my_votes.csv", rows)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("pages")
    classifier(place / "model.onnx", metadata=labels_metadata())
    classifier(place / "model.int8.onnx", metadata=labels_metadata(), seed=1)
    speech_set(place, 24, name="my_clips.csv", speakers=8)
    rated(place)
    voted(place)
    (place / "my_model.py").write_text(own_model(), encoding="utf-8")
    TREES["RAVDESS"].write(place / "RAVDESS", samples=8000)
    (place / "a.wav").write_bytes(encoded(voice(1)))
    (place / "b.flac").write_bytes(encoded(voice(2), form="FLAC"))
    write_sets(place)
    return place


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path, dirs_exist_ok=True)


def write_sets(folder):
    """A model and sets of several emotions a clip, each in two splits."""
    names = ("angry", "happy", "sad")
    after = [node("Sigmoid", "scores", "logits")]
    classifier_graph(folder / "sigmoid.onnx", after=after, k=3, labels=names)
    with speech_set(folder, 24, labels=names, name="sets.csv").open() as file:
        rows = list(csv.DictReader(file))
    sets = [[], [names[0]], [names[1], names[2]], [names[2]]]
    lists, texts, marks = [], [], []
    for i, row in enumerate(rows):
        own = {key: text for key, text in row.items() if key != "label"}
        split = {"split": "test" if i % 2 else "validation"}
        said = sets[i // 2 % 4]
        lists.append(own | split | {"emotions": said})
        texts.append(own | split | {"emotion": ";".join(said) or ";"})
        marks.append(own | {f"is_{name}": int(name in said) for name in names})
    (folder / "my_emotions.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in lists))
    write_manifest(folder / "my_emotions.csv", texts)
    write_manifest(folder / "my_marks.csv", marks)


def without_pictures(arguments, page):
    """The same command, whose pictures are drawn once, on the first page: all are the same."""
    draws = arguments[0] in ("evaluate", "score") and "--format" not in arguments
    shown = page == PAGES[0] and arguments[0] == "evaluate" and "int8" in arguments
    return [*arguments, "--no-plots"] if draws and not shown else arguments


@pytest.mark.slow
@pytest.mark.usefixtures("brief_bench")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_work(page, folder, serval, request):
    if page != PAGES[0]:
        request.getfixturevalue("empty_pictures")
    for arguments, promised in commands(page):
        done = serval(*without_pictures(arguments, page), cwd=folder)
        assert done.returncode == promised, f"serval {shlex.join(arguments)}\n{done.stderr}"


def test_every_relative_link_leads_somewhere():
    for page in [*PAGES, *ROOT.glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_command_of_the_program_is_in_the_readme():
    from serval.cli import COMMANDS

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [name for name in COMMANDS if f"serval {name}" not in readme]
