"""Whether corpora read as they were unzipped have the labels and speakers of a published set.

    python ../shared/corpora/write_raw.py RAW
    python benchmarks/raw_corpora.py RAW ../shared/corpora/ssi-like

RAW holds RAVDESS, CREMA-D and TESS as folders; the second is the set that their clips came from,
with the columns emotion, speaker_id, gender and text.
"""

import sys
from pathlib import Path, PurePosixPath

import pyarrow.parquet as pq

from serval.corpora import corpus_called
from serval.datasets import load_dataset

COLUMNS = ("emotion", "speaker_id", "gender", "text", "dataset")


def published(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return file name -> what the published set says of it, of validation and test."""
    codes = corpus_called("ssi").labels
    found = {}
    for path in sorted((folder / "data").glob("*.parquet")):
        if path.name.startswith("train"):
            continue
        for row in pq.ParquetFile(path).read(["file_path.path", *COLUMNS]).to_pylist():
            sex = {"F": "female", "M": "male"}[row["gender"]]
            name = PurePosixPath(row["file_path"]["path"]).stem
            found[name] = (
                codes[row["emotion"]],
                row["speaker_id"],
                sex,
                row["text"],
                row["dataset"],
            )
    return found


def main(raw: Path, folder: Path) -> int:
    """Print how many clips agree, and return whether all do."""
    wanted, agree, n = published(folder), 0, 0
    for path in sorted(raw.iterdir()):
        dataset = load_dataset(str(path))
        print(dataset.read_as)
        for clip in dataset.metadata(0, None):
            said = (
                clip.label,
                clip.speaker,
                clip.groups["gender"],
                clip.groups["text"],
                dataset.corpus,
            )
            same = said == wanted[PurePosixPath(clip.id).stem]
            n, agree = n + 1, agree + same
            if not same:
                print(clip.id, said, wanted[PurePosixPath(clip.id).stem])
    print(f"{agree:,} of {n:,} clips have the label, speaker, sex, text and corpus of the set")
    return int(agree != n)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
