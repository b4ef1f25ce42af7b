"""Write the clips of several corpora, as they were unzipped, as one manifest.

python manifest.py clips.csv ravdess:/data/RAVDESS crema-d:/data/CREMA-D tess:/data/TESS
"""

import csv
import sys
from pathlib import Path

from serval.datasets import load_dataset
from serval.labels import EMOTIONS, LabelMap, LabelSet

COLUMNS = ("path", "label", "speaker", "gender", "corpus")


def rows(name: str) -> list[tuple[str, str, str, str, str]]:
    """Return one row for each clip of a corpus whose emotion is one of the eight."""
    dataset = load_dataset(name)
    meaning = LabelMap(labels=LabelSet(EMOTIONS), explicit={}, meanings=dataset.label_map)
    return [
        (
            str(Path(str(clip.audio)).absolute()),
            emotion,
            str(clip.speaker),
            clip.groups.get("gender", ""),
            dataset.corpus,
        )
        for clip in dataset.clips(0, None)
        if (emotion := meaning[clip.label])
    ]


def main(output: str, *names: str) -> None:
    """Write the manifest."""
    with Path(output).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(row for name in names for row in rows(name))


if __name__ == "__main__":
    main(*sys.argv[1:])
