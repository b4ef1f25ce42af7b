#!/bin/sh
# A model of the kind of serval-tiny from its encoder and three corpora as they were unzipped:
#   sh make.sh ENCODER.onnx RAVDESS CREMA-D TESS OUTPUT
set -eu
here=$(dirname "$0")
mkdir -p "$5"
python "$here/manifest.py" "$5/clips.csv" "ravdess:$2" "crema-d:$3" "tess:$4"
serval probe -m "$1" -d "$5/clips.csv" --layer pooled --pool mean --folds speaker:5 \
  --class-weight none -o "$5/probes" --save "$5/serval-tiny.onnx"
serval quantize "$5/serval-tiny.onnx" -o "$5/serval-tiny.int8.onnx" --calibration "$5/clips.csv"
