"""Every kind of file that serval reads, and the command that is given one after mutation."""

import io
import json
import math
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from hypothesis import strategies as st

from build import classifier, encoded, labels_metadata, speech_set, voice
from fuzz.forked import forked
from fuzz.mutations import BIDI, ESC, ODD, YAML_MARKS, mutated_bytes, mutated_value, raw, toml

LABELS = ("angry", "happy", "sad")
CLIPS = 4
EVALUATE = ("evaluate", "-m", "model.onnx", "--no-plots", "--quiet", "--max-left-out", "1")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One command on files of which some were mutated.

    Attributes:
        files: Name -> content, beside or in place of those of `world()`.
        clips: How many clips the set has, where the mutation leaves that as it is.
    """

    kind: str
    arguments: tuple[str, ...]
    files: dict[str, bytes] = field(repr=False)
    clips: int | None = None


@cache
def world():
    """Name -> content of the files that every command finds: model, clips, manifest and a run."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        classifier(folder / "model.onnx", k=3, bands=2, metadata=labels_metadata(LABELS))
        speech_set(folder / "clips", CLIPS, labels=LABELS, seconds=0.1)
        seen = forked((*EVALUATE, "-d", "clips/set.csv", "-o", "run"), folder)
        if seen.done is None or seen.done.returncode:
            raise AssertionError(seen)
        files = [*folder.glob("*.onnx"), *folder.glob("clips/*"), folder / "run" / "journal.jsonl"]
        return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def _evaluate(data, *more):
    return (*EVALUATE, "-d", data, "-o", "out", *more)


@cache
def _sounds():
    """One short file of every kind that can be written here; containers where PyAV is there."""
    samples = voice(1, seconds=0.15)
    made = [
        encoded(samples, form=form, subtype=subtype)
        for form in soundfile.available_formats()
        for subtype in soundfile.available_subtypes(form)
        if form not in ("RAW", "SD2") and _can_write(form, subtype)  # SD2 writes a second file
    ]
    return [*made, *_contained()]


def _can_write(form, subtype):
    try:
        encoded(voice(1, seconds=0.02), form=form, subtype=subtype)
    except (soundfile.LibsndfileError, ValueError):
        return False
    return True


def _contained():
    try:
        import av
    except ImportError:
        return []
    forms = {"mp4": "aac", "matroska": "flac", "asf": "wmav2", "adts": "aac", "wv": "wavpack",
             "avi": "pcm_s16le", "tta": "tta", "ac3": "ac3", "mov": "alac", "flv": "aac",
             "webm": "libopus"}  # fmt: skip
    return [_muxed(av, form, codec) for form, codec in forms.items()]


def _muxed(av, form, codec):
    """A fifth of a second in a container, in blocks of the size that the codec takes."""
    rate = {"libopus": 48_000, "aac": 44_100}.get(codec, 16_000)
    rate = 32_000 if form == "ac3" else rate
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 64_000
        frame = av.AudioFrame.from_ndarray(voice(1, 0.2, rate)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        sizes = {"ac3": 1536, "libopus": 960}
        resampler = av.AudioResampler(
            format=stream.format, layout="mono", rate=rate, frame_size=sizes.get(codec, 1024)
        )
        for block in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    return buffer.getvalue()


@st.composite
def sound(draw):
    """A set of six mutated files, of which each must be predicted, fail, or be left out."""
    sounds = st.sampled_from(_sounds())
    files = {f"clips/x{i}.wav": draw(mutated_bytes(draw(sounds), draw(sounds))) for i in range(6)}
    rows = ["path,label", *(f"{Path(name).name},{LABELS[i % 3]}" for i, name in enumerate(files))]
    files["clips/set.csv"] = "\n".join([*rows, "clip0000.wav,sad", ""]).encode()
    return Case(kind="sound", arguments=_evaluate("clips/set.csv"), files=files, clips=7)


ROWS = [
    {"path": f"clip000{i}.wav", "label": LABELS[i % 3], "speaker": f"s{i % 2}", "gender": "FM"[i % 2],
     "start": 0.0, "end": 0.05, "split": "train"}
    for i in range(CLIPS)
]  # fmt: skip


@st.composite
def csv(draw):
    """A manifest of commas or tabs: its cells, then its bytes."""
    name, delimiter = draw(st.sampled_from((("set.csv", ","), ("set.tsv", "\t"), ("set.csv", ";"))))
    rows = draw(mutated_value([list(ROWS[0]), *(list(row.values()) for row in ROWS)]))
    rows = (
        [row if isinstance(row, list) else [row] for row in rows] if isinstance(rows, list) else []
    )
    text = "\n".join(delimiter.join(map(str, row)) for row in rows) + "\n"
    content = text.encode("utf-8", "surrogatepass")
    if draw(st.booleans()):
        content = draw(mutated_bytes(content))
    return Case(kind="csv", arguments=_evaluate(f"clips/{name}"), files={f"clips/{name}": content})


@st.composite
def jsonl(draw):
    rows = [draw(mutated_value(row)) if draw(st.booleans()) else row for row in ROWS]
    content = raw("\n".join(map(json.dumps, rows)))
    if draw(st.booleans()):
        content = draw(mutated_bytes(content))
    files = {"clips/set.jsonl": content}
    return Case(kind="jsonl", arguments=_evaluate("clips/set.jsonl"), files=files)


@st.composite
def parquet(draw):
    """Clips as bytes or as samples, in columns of any type, with what `datasets` writes of them."""
    columns = _columns()
    for _ in range(draw(st.integers(0, 2))):
        odd = draw(st.sampled_from(_odd_columns()))
        columns[draw(st.sampled_from((*columns, "split", "speaker", ESC, BIDI, "")))] = odd
    table = pa.table(columns)
    kept = draw(st.permutations(table.column_names))[: draw(st.integers(1, 4))]
    if draw(st.integers(0, 3)) == 0:
        table = table.select(kept)
    features = {name: {"_type": "Value", "dtype": "string"} for name in columns}
    features |= {"audio": {"_type": "Audio", "sampling_rate": 16_000},
                 "label": {"_type": "ClassLabel", "names": list(LABELS)}}  # fmt: skip
    stated = raw(json.dumps(draw(mutated_value({"info": {"features": features}}))))
    table = table.replace_schema_metadata({"huggingface": stated})
    buffer = io.BytesIO()
    compression = draw(st.sampled_from(("snappy", "zstd", "gzip", "none")))
    pq.write_table(table, buffer, compression=compression)
    content = buffer.getvalue()
    if draw(st.booleans()):
        content = draw(_near_end(content) if draw(st.booleans()) else mutated_bytes(content))
    return Case(kind="parquet", arguments=_evaluate("set.parquet"), files={"set.parquet": content})


def _near_end(content):
    """Parquet keeps what it says of itself in its last kilobytes."""
    return mutated_bytes(content[-3_000:]).map(lambda end: content[:-3_000] + end)


def _columns():
    wavs = [encoded(voice(i, seconds=0.05)) for i in range(CLIPS)]
    audio = [{"bytes": wav, "path": f"{i}.wav"} for i, wav in enumerate(wavs)]
    return {
        "audio": pa.array(audio),
        "label": pa.array([i % 3 for i in range(CLIPS)]),
        "speaker": pa.array([f"s{i}" for i in range(CLIPS)]),
    }


def _odd_columns():
    samples = [0.1, -0.1] * 400
    bad_text = pa.array([b"\xff\xfe\x1b", b"ok", None, b""]).cast(pa.binary()).view(pa.string())
    return [
        pa.array([None] * CLIPS),
        pa.array(
            [{"array": samples, "sampling_rate": rate} for rate in (16_000, 0, -1, 2**31 - 1)]
        ),
        pa.array([{"array": a, "sampling_rate": 16_000} for a in ([], None, [math.nan], samples)]),
        pa.array([{"array": [samples, samples], "sampling_rate": 16_000}] * CLIPS),
        pa.array([samples, [], None, [math.inf]]),
        pa.array([[samples], [], None, [[]]]),
        pa.array(
            [{"bytes": None, "path": p} for p in ("clips/clip0000.wav", None, "", "/dev/zero")]
        ),
        pa.array([{"bytes": b"", "path": None}] * CLIPS),
        pa.array([b"", None, b"RIFF", encoded(voice(1, seconds=0.05))]),
        bad_text,
        pa.array([ESC, BIDI, "=1+1", "a\0b"]),
        pa.array(["angry", None, "", " Happy "]).dictionary_encode(),
        pa.array([2**62, -1, None, 0]),
        pa.array([2**63 - 1, 0, 1, -(2**63)]).cast(pa.timestamp("ns")),
        pa.array([-(2**52), 0, 1, 2**52]).view(pa.timestamp("s")),
        pa.array([0.5, math.nan, math.inf, None]),
        pa.array([True, False, None, True]),
        pa.array([[("a", 1)], [], None, [("b", None)]], pa.map_(pa.string(), pa.int64())),
        pa.array([-5, 0, 7, 2**31 - 1], pa.int32()).view(pa.date32()),
        pa.array([1, 2, 3, 10**30], pa.decimal128(38)),
    ]


VERBS = (
    *(("score", "run", "--no-plots"), ("gate", "run", "--min", "accuracy=0.1", "--max", "ece=1")),
    *(("card", "run"), ("compare", "run", "run", "--no-plots"), ("report", "run", "-o", "r.html")),
    (*_evaluate("clips/set.csv")[:-1], "run"),
)


@st.composite
def journal(draw):
    """A run's lines: their values, their order, then the bytes, given to every verb that reads it."""
    lines = [json.loads(line) for line in world()["run/journal.jsonl"].splitlines()]
    what = draw(st.integers(0, 4))
    if what < 3:
        at = draw(st.integers(0, len(lines) - 1))
        lines[at] = draw(mutated_value(lines[at]))
    if what in (2, 3):
        at, to = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        lines.insert(to, lines[at] if draw(st.booleans()) else lines.pop(at))
    content = raw("".join(json.dumps(line) + "\n" for line in lines))
    if what == 4:
        content = draw(mutated_bytes(content))
    arguments = draw(st.sampled_from(VERBS))
    return Case(kind="journal", arguments=arguments, files={"run/journal.jsonl": content})


GATE = {
    "min": {"accuracy": 0.1, "recall": {"angry": 0.0}},
    "max": {"failures": 0.5, "bench.a.b": 3, "stress.cases.0.drop": 1},
    "max-drop": {"uar": 5},
    "max-group-gap": {"accuracy:speaker": 0.9},
    "baseline": "run", "bench": "bench.json", "stress": "stress.json", "cannot-tell": "pass",
}  # fmt: skip
BENCH = {
    "models": {"model": {"sha256": "00", "name": "model"}},
    "a": {"b": 2.5, "model": "model"},
    "cases": [{"drop": 0.5}],
}


@st.composite
def gate_toml(draw):
    tree = draw(mutated_value(GATE))
    tree = tree if isinstance(tree, dict) else {"min": tree}
    text = "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in tree.items())
    content = raw(text)
    if draw(st.integers(0, 2)) == 0:
        content = draw(mutated_bytes(content))
    files = {"gate.toml": content} | dict.fromkeys(
        ("bench.json", "stress.json"), raw(json.dumps(BENCH))
    )
    return Case(kind="gate.toml", arguments=("gate", "run"), files=files)


@st.composite
def bench_json(draw):
    name = draw(st.sampled_from(("bench", "stress")))
    path = draw(
        st.sampled_from(("a.b", "cases.0.drop", "models.model.name", "a", "cases.٣.drop", ".."))
    )
    content = raw(json.dumps(draw(mutated_value(BENCH))))
    if draw(st.integers(0, 2)) == 0:
        content = draw(mutated_bytes(content))
    arguments = ("gate", "run", "--max", f"{name}.{path}=3", f"--{name}", "odd.json")
    return Case(kind="bench.json", arguments=arguments, files={"odd.json": content})


PLAN = {
    "models": ["model.onnx", {"model": "model.onnx", "name": "again"}],
    "datasets": ["clips/set.csv", {"dataset": "clips/set.csv", "limit": 3, "name": "few"}],
    "options": [{"normalize": "peak", "labels": list(LABELS)}, {"label_map": {"x": "sad"}}],
    "sort_by": "uar",
    "output": "swept",
    "batch_size": 2,
    "plots": False,
    "max_seconds": 9.5,
}


@st.composite
def plan_yaml(draw):
    few = {"models": PLAN["models"][:1], "datasets": PLAN["datasets"][:1]}
    tree = draw(mutated_value(draw(st.sampled_from((PLAN, few))), YAML_MARKS))
    content = raw(json.dumps(tree), YAML_MARKS)
    if draw(st.integers(0, 2)) == 0:
        content = draw(mutated_bytes(content))
    arguments = ("sweep", "plan.yaml", "--quiet")
    return Case(kind="plan.yaml", arguments=arguments, files={"plan.yaml": content})


CARD = {
    "license": ["mit"],
    "configs": [
        {"config_name": "a", "default": True, "data_dir": "data",
         "data_files": [{"split": "train", "path": "clips/*"}]},
        {"config_name": "b", "data_files": "set.csv"},
    ],
    "dataset_info": [
        {"config_name": "a", "splits": [{"name": "train", "num_examples": CLIPS}],
         "features": [{"name": "label", "dtype": {"class_label": {"names": {"0": "angry"}}}}]},
    ],
}  # fmt: skip


@st.composite
def card_yaml(draw):
    head = raw(json.dumps(draw(mutated_value(CARD, YAML_MARKS))), YAML_MARKS)
    content = b"---\n" + head + b"\n---\n# A set\n"
    if draw(st.integers(0, 2)) == 0:
        content = draw(mutated_bytes(content))
    return Case(kind="README.md", arguments=_evaluate("clips"), files={"clips/README.md": content})


CONFIGS = {
    "config.json": {"id2label": {str(i): label for i, label in enumerate(LABELS)}, "a": [1]},
    "preprocessor_config.json": {"sampling_rate": 16_000, "do_normalize": True,
                                 "return_attention_mask": False},
}  # fmt: skip


@st.composite
def config_json(draw):
    """What the hub lays beside a model, for a model that says nothing itself."""
    texts = {name: raw(json.dumps(draw(mutated_value(tree)))) for name, tree in CONFIGS.items()}
    if draw(st.integers(0, 2)) == 0:
        texts["config.json"] = draw(mutated_bytes(texts["config.json"]))
    files = {"model.onnx": _silent_model()} | texts
    arguments = draw(st.sampled_from((_evaluate("clips/set.csv"), *ON_MODEL)))
    return Case(kind="config.json", arguments=arguments, files=files)


ON_MODEL = (("inspect", "model.onnx"), ("predict", "-m", "model.onnx", "clips/clip0000.wav"))


@cache
def _silent_model():
    model = onnx.load_from_string(world()["model.onnx"])
    del model.metadata_props[:]
    return model.SerializeToString()


@st.composite
def label_map(draw):
    content = raw(json.dumps(draw(mutated_value({"angry": "angry", "ANG": "angry", "1": "sad"}))))
    if draw(st.integers(0, 2)) == 0:
        content = draw(mutated_bytes(content))
    arguments = _evaluate("clips/set.csv", "--label-map", "map.json")
    return Case(kind="label map", arguments=arguments, files={"map.json": content})


@st.composite
def model_bytes(draw):
    content = draw(mutated_bytes(world()["model.onnx"]))
    arguments = draw(st.sampled_from(ON_MODEL))
    return Case(kind="onnx bytes", arguments=arguments, files={"model.onnx": content})


@st.composite
def model_graph(draw):
    """A model whose parts say something else: names, shapes, types, attributes, metadata, weights."""
    model = onnx.load_from_string(world()["model.onnx"])
    for _ in range(draw(st.integers(1, 3))):
        draw(st.sampled_from(GRAPH_CHANGES))(draw, model)
    content = model.SerializeToString()
    if draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from((b"input_values", b"logits", b"bands", b"Conv", b"labels")))
        odd = draw(st.sampled_from((b"\xff", b"\x1b", b"\0", b"\n")))
        content = content.replace(name, (odd * len(name))[: len(name)])
    arguments = draw(st.sampled_from((*ON_MODEL, _evaluate("clips/set.csv"))))
    return Case(kind="onnx graph", arguments=arguments, files={"model.onnx": content})


SIZES = (0, 1, -1, 2, 3, 16, 400, 1_600, 10**9, 2**31, 2**62, -(2**63))
TEXTS = ("", " ", "x" * 300, "logits", "input_values", ESC, BIDI, "../../etc/passwd", "sad", "[]")


def _shape(draw, model):
    ends = [*model.graph.input, *model.graph.output]
    shape = draw(st.sampled_from(ends)).type.tensor_type.shape
    what = draw(st.integers(0, 3))
    if what == 0:
        shape.dim.add().dim_value = draw(st.sampled_from(SIZES))
    elif what == 1 and shape.dim:
        del shape.dim[draw(st.integers(0, len(shape.dim) - 1))]
    elif shape.dim:
        dim = shape.dim[draw(st.integers(0, len(shape.dim) - 1))]
        if what == 2:
            dim.dim_value = draw(st.sampled_from(SIZES))
        else:
            dim.dim_param = draw(st.sampled_from(TEXTS))


def _type(draw, model):
    ends = [*model.graph.input, *model.graph.output]
    draw(st.sampled_from(ends)).type.tensor_type.elem_type = draw(
        st.sampled_from((0, 2, 6, 7, 8, 10, 16, 99))
    )


def _name(draw, model):
    named = [*model.graph.input, *model.graph.output, *model.graph.node, *model.graph.initializer]
    draw(st.sampled_from(named)).name = draw(st.sampled_from(TEXTS))


def _node(draw, model):
    nodes = model.graph.node
    at = draw(st.integers(0, max(0, len(nodes) - 1)))
    what = draw(st.integers(0, 4))
    if not nodes or what == 0:
        nodes.add().op_type = draw(
            st.sampled_from(("Identity", "Loop", "If", "RandomNormal", "", ESC))
        )
    elif what == 1:
        del nodes[at]
    elif what == 2:
        nodes.add().CopyFrom(nodes[at])
    elif what == 3:
        nodes[at].op_type = draw(
            st.sampled_from(("Softmax", "Sigmoid", "Dropout", "Loop", "Relu", ESC))
        )
    else:
        ends = draw(st.sampled_from((nodes[at].input, nodes[at].output)))
        ends[:] = [draw(st.sampled_from(("wave", "bands", "conv", *TEXTS))) for _ in ends]


def _attribute(draw, model):
    nodes = [node for node in model.graph.node if node.attribute]
    if nodes:
        attribute = draw(st.sampled_from(draw(st.sampled_from(nodes)).attribute))
        attribute.type = draw(st.sampled_from((attribute.type, 0, 1, 2, 4, 5, 7)))
        attribute.i = draw(st.sampled_from(SIZES))
        attribute.ints[:] = draw(st.lists(st.sampled_from(SIZES), max_size=3))


def _tensor(draw, model):
    if not model.graph.initializer:
        return
    tensor = draw(st.sampled_from(model.graph.initializer))
    what = draw(st.integers(0, 3))
    if what == 0:
        tensor.dims[:] = draw(st.lists(st.sampled_from(SIZES), max_size=4))
    elif what == 1:
        tensor.data_type = draw(st.sampled_from((0, 2, 7, 8, 10, 16, 22, 99)))
    elif what == 2:
        tensor.raw_data = draw(st.sampled_from((b"", b"\0", b"\xff" * 4, tensor.raw_data * 2)))
    else:
        _outside(draw, tensor)


def _outside(draw, tensor):
    """Weights in another file: of any name, place and size."""
    tensor.data_location = onnx.TensorProto.EXTERNAL
    places = (
        "weights.bin",
        "../weights.bin",
        "/dev/zero",
        "/etc/passwd",
        "model.onnx",
        "clips",
        "",
        "a\0b",
    )
    stated = {"location": draw(st.sampled_from(places)), "offset": str(draw(st.sampled_from(SIZES))),
              "length": draw(st.sampled_from(("4", "-1", "x", str(2**62), "")))}  # fmt: skip
    for key, value in stated.items():
        tensor.external_data.add(key=key, value=value)


def _metadata(draw, model):
    keys = ("labels", "sampling_rate", "normalize", "max_seconds", "return_attention_mask",
            "trained_on", "id2label", ESC)  # fmt: skip
    odd = (
        *TEXTS,
        "[" * 9_000,
        "9" * 5_000,
        "1e999",
        "nan",
        "-1",
        '["a", "\\u001b[31m", 3]',
        "{}",
        '{"names": "eJwDAAAAAAE=", "corpora": "x"}',
        '{"corpora": ["\\u001b"], "n_clips": 1e99}',
    )
    model.metadata_props.add(key=draw(st.sampled_from(keys)), value=draw(st.sampled_from(odd)))


def _versions(draw, model):
    model.ir_version = draw(st.sampled_from((0, 3, 10, 99, 2**62)))
    model.opset_import[0].version = draw(st.sampled_from((0, 1, 7, 20, 99, -1)))
    model.opset_import[0].domain = draw(st.sampled_from(("", "ai.onnx", ESC, "com.microsoft")))


GRAPH_CHANGES = (_shape, _shape, _type, _name, _node, _node, _attribute, _tensor, _tensor, _metadata,
                 _metadata, _versions)  # fmt: skip

OPTIONS = ("--labels", "--label-map", "--split", "--label-column", "--audio-column", "--group-by",
           "--speaker-column", "--normalize", "--sample-rate", "--limit", "--batch-size", "-d", "-m",
           "--max-seconds", "--output-name", "-o")  # fmt: skip


@st.composite
def options(draw):
    """Text where a command wants a name, a number or a place."""
    texts = [*(str(value) for value in ODD if not isinstance(value, str)), *TEXTS, "a\0b", "\udcff"]
    chosen = draw(st.lists(st.sampled_from(OPTIONS), min_size=1, max_size=2))
    pairs = [(option, draw(st.sampled_from(texts)).replace("\0", "0")[:300]) for option in chosen]
    arguments = _evaluate("clips/set.csv", *(part for pair in pairs for part in pair))
    return Case(kind="options", arguments=arguments, files={})


KINDS = {
    strategy.__name__: strategy()
    for strategy in (sound, csv, jsonl, parquet, journal, gate_toml, bench_json, plan_yaml, card_yaml,
                     config_json, label_map, model_bytes, model_graph, options)
}  # fmt: skip
"""Of every input, by name."""
