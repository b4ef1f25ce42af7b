"""Writes into an ONNX file's metadata which clips it was trained on, so that serval can say so.

    python tools/stamp_training_data.py MODEL.onnx DATASET --split train --corpus RAVDESS ...

The built-in model was trained on the train split of a set in SSI's layout:

    python tools/stamp_training_data.py src/serval/builtin/models/serval-tiny.onnx \
        ../shared/corpora/ssi-like --split train --corpus RAVDESS --corpus CREMA-D --corpus TESS
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import onnx

from serval.audio import encoded_bytes
from serval.datasets import DatasetOptions, load_dataset
from serval.trained_on import TrainedOn


def main() -> None:
    """Stamp the file in place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("dataset")
    parser.add_argument("--split", default="train", help="empty for a set that has none")
    parser.add_argument("--corpus", action="append", default=[])
    given = parser.parse_args()
    dataset = load_dataset(given.dataset, options=DatasetOptions(split=given.split or None))
    clips = [
        (clip.id, hashlib.sha256(encoded_bytes(clip.audio)).hexdigest())
        for clip in dataset.clips(0, None)
    ]
    split = f"{dataset.name}: {given.split}" if given.split else dataset.name
    said = TrainedOn.of_clips(clips, given.corpus, [split])
    model = onnx.load(given.model, load_external_data=False)
    kept = [entry for entry in model.metadata_props if entry.key != "trained_on"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key="trained_on", value=said.metadata())
    onnx.save(model, given.model)
    print(f"{given.model}: trained on {len(clips)} clips of {', '.join(given.corpus)}")


if __name__ == "__main__":
    main()
