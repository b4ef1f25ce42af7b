#!/bin/sh
# A model of the kind of serval-tiny from Whisper tiny.en and three corpora as they were unzipped:
#   sh make.sh openai/whisper-tiny.en RAVDESS CREMA-D TESS OUTPUT
set -eu
here=$(dirname "$0")
mkdir -p "$5"
python "$here/manifest.py" "$5/clips.csv" "ravdess:$2" "crema-d:$3" "tess:$4"
python "$here/train.py" "$1" "$5/clips.csv" "$5" --split "" --column corpus
python "$here/../../tools/stamp_training_data.py" "$5/serval-tiny.onnx" "$5/clips.csv" --split "" \
  --corpus RAVDESS --corpus CREMA-D --corpus TESS
serval quantize "$5/serval-tiny.onnx" -o "$5/serval-tiny.int8.onnx" --calibration "$5/clips.csv"
