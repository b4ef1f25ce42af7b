"""A regression model with real errors: `dimensions_by_proxy.py MODEL SET OUT [TRAIN [TEST]]`.

MODEL is a classifier whose last node is one Gemm on pooled features, such as the FP32 file of the
built-in model; SET a folder of parquet files with train and validation splits. Three quantities
that can be computed of any clip stand in for ratings: its level, its pitch, and how many syllables
a second its envelope has. A ridge regression on the pooled features takes the place of the last
node. OUT gets `dimensions.onnx`, which says its task and scale, and `clips.parquet` with TEST
clips, their values on a scale from 1 to 7, and their speakers:

    serval evaluate -m OUT/dimensions.onnx -d OUT/clips.parquet --scale 1..7
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime as ort
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import numpy_helper
from scipy.signal import butter, find_peaks, sosfiltfilt
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from serval.audio import decode, encoded_bytes, peak_normalized
from serval.datasets import DatasetOptions, load_dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.audio import Waveform
    from serval.records import Clip

    Floats = NDArray[np.float64]

RATE = 16_000
NAMES = ("level", "pitch", "tempo")
SCALE = (1.0, 7.0)
PITCH_HZ = (70, 400)
FRAME, HOP = 800, 400


def values_of(samples: Waveform) -> tuple[float, float, float]:
    """Return level in dB, median pitch in semitones over 100 Hz, and syllables a second."""
    level = 20 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64))) + 1e-6)
    return float(level), _pitch(samples), _tempo(samples)


def _pitch(samples: Waveform) -> float:
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP].astype(np.float64)
    loud = frames[np.square(frames).mean(axis=1) > 0.1 * np.square(frames).mean()]
    spectra = np.abs(np.fft.rfft(loud * np.hanning(FRAME), 2 * FRAME)) ** 2
    lags = np.fft.irfft(spectra)[:, RATE // PITCH_HZ[1] : RATE // PITCH_HZ[0]]
    hertz = RATE / (lags.argmax(axis=1) + RATE // PITCH_HZ[1])
    return float(12 * np.log2(np.median(hertz) / 100))


def _tempo(samples: Waveform) -> float:
    smooth = butter(2, 8, fs=RATE, output="sos")
    envelope = sosfiltfilt(smooth, np.abs(samples.astype(np.float64)))
    peaks, _ = find_peaks(envelope, prominence=0.1 * envelope.max(), distance=RATE // 10)
    return len(peaks) / (len(samples) / RATE)


def on_scale(values: Floats, ends: Floats) -> Floats:
    """Return values between the ends of the train clips' middle 98 % on the scale from 1 to 7."""
    low, high = ends
    share = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(SCALE[0] + share * (SCALE[1] - SCALE[0]))


def clips_of(place: str, split: str, n: int) -> list[Clip]:
    """Return n clips of a split, drawn by label."""
    options = DatasetOptions(split=split, sample=n)
    return list(load_dataset(place, options=options).clips(0, None))


def features_of(session: ort.InferenceSession, clips: list[Clip]) -> tuple[Floats, Floats]:
    """Return the pooled features and the computed values of clips, `(N, F)` and `(N, 3)`."""
    rows, values = [], []
    for clip in clips:
        samples = decode(encoded_bytes(clip.audio), RATE).samples
        feed = {session.get_inputs()[0].name: peak_normalized(samples)[np.newaxis]}
        rows.append(session.run(None, feed)[0][0])
        values.append(values_of(samples))
    return np.array(rows, np.float64), np.array(values)


def with_head(model: onnx.ModelProto, weights: Floats, bias: Floats) -> onnx.ModelProto:
    """Return the model with `(3, F)` weights and `(3,)` bias in its last Gemm."""
    gemm = next(node for node in model.graph.node if node.op_type == "Gemm")
    for name, values in ((gemm.input[1], weights), (gemm.input[2], bias)):
        stored = next(one for one in model.graph.initializer if one.name == name)
        stored.CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = len(NAMES)
    own = {
        "labels": json.dumps(NAMES), "task": "dimensions", "scale": "1..7",
        "sampling_rate": str(RATE), "normalize": "peak", "max_seconds": "30",
    }  # fmt: skip
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, own)
    return model


def main(model_path: str, place: str, out: str, n_train: str = "1200", n_test: str = "400") -> None:
    """Make the model and the set."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    model = onnx.load(model_path)
    gemm = next(node for node in model.graph.node if node.op_type == "Gemm")
    pooled = onnx.ModelProto()
    pooled.CopyFrom(model)
    pooled.graph.output[0].name = gemm.input[0]
    pooled.graph.output[0].type.tensor_type.shape.dim[1].Clear()
    session = ort.InferenceSession(pooled.SerializeToString())
    features, values = features_of(session, clips_of(place, "train", int(n_train)))
    ends = np.percentile(values, [1, 99], axis=0)
    regression = make_pipeline(StandardScaler(), RidgeCV(np.logspace(1, 5, 9)))
    regression.fit(features, on_scale(values, ends))
    scaler, ridge = regression.steps[0][1], regression.steps[1][1]
    weights = ridge.coef_ / scaler.scale_
    bias = ridge.intercept_ - weights @ scaler.mean_
    onnx.save(with_head(model, weights, bias), folder / "dimensions.onnx")
    test = clips_of(place, "validation", int(n_test))
    truth = on_scale(np.array([values_of(decode(encoded_bytes(c.audio), RATE).samples)
                               for c in test]), ends)  # fmt: skip
    table = {"audio": [{"path": c.id, "bytes": encoded_bytes(c.audio)} for c in test],
             "speaker": [c.speaker for c in test]}  # fmt: skip
    for i, name in enumerate(NAMES):
        table[name] = truth[:, i].round(4).tolist()
    pq.write_table(pa.table(table), folder / "clips.parquet")


if __name__ == "__main__":
    main(*sys.argv[1:])
