"""Builds the classifier that the figures on export and quantization are taken on.

The architecture of facebook/wav2vec2-large-robust with random weights: sizes and speeds do not
depend on what the weights are, accuracy does, so nothing is said about accuracy here.

    python benchmarks/full_size_model.py FOLDER                 24 layers, about 1.26 GB twice
    python benchmarks/full_size_model.py FOLDER --layers 12
    python benchmarks/full_size_model.py FOLDER --attention-mask
    python benchmarks/full_size_model.py FOLDER --billion      48 layers of the 1-billion XLS-R,
                                                               about 3.9 GB twice, two files

Writes FOLDER/checkpoint-24 (once) and FOLDER/full-24.onnx, and prints the parity with torch.
Needs the extra: pip install 'serval-ser[export]'
"""

from __future__ import annotations

import argparse
from pathlib import Path

from serval.export import ExportOptions, export_checkpoint
from serval.labels import EMOTIONS

ARCHITECTURE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
    "num_conv_pos_embeddings": 128,
    "num_conv_pos_embedding_groups": 16,
    "classifier_proj_size": 256,
}


BILLION = {"hidden_size": 1280, "num_hidden_layers": 48, "intermediate_size": 5120}


def save_checkpoint(folder: Path, architecture: dict[str, object]) -> Path:
    """Return the folder of the checkpoint, made from seed 0 if it is not there yet."""
    import torch
    import transformers

    if (folder / "preprocessor_config.json").is_file():
        return folder
    torch.manual_seed(0)
    labels = dict(enumerate(EMOTIONS))
    config = transformers.Wav2Vec2Config(**architecture, id2label=labels, num_labels=len(labels))
    model = transformers.Wav2Vec2ForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.weight.mul_(50)  # a head as its initialiser left it is refused
    model.save_pretrained(folder)
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
    extractor.save_pretrained(folder)
    return folder


def main() -> None:
    """Build the checkpoint and its ONNX file, and print how they compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int)
    parser.add_argument("--billion", action="store_true")
    parser.add_argument("--attention-mask", action="store_true")
    flags = parser.parse_args()
    architecture = ARCHITECTURE | (BILLION if flags.billion else {})
    of = architecture["num_hidden_layers"]
    checkpoint = save_checkpoint(flags.folder / f"checkpoint-{of}", architecture)
    masked = "-mask" if flags.attention_mask else ""
    output = flags.folder / f"full-{flags.layers or of}{masked}.onnx"
    options = ExportOptions(layers=flags.layers, attention_mask=flags.attention_mask)
    exported = export_checkpoint(str(checkpoint), output, options)
    print(f"{output}: {exported.size_bytes:,} bytes, {exported.metadata['layers']} layers")
    print(exported.parity)


if __name__ == "__main__":
    main()
