"""What a dataset looks like from outside, in plain JSON types."""

import hashlib
import logging
import shutil
import time
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

from serval.datasets import DatasetOptions, load_dataset
from serval.errors import ServalError

SLICES = ((0, 1), (2, 5), (3, None), (5, 5), (1000, None))


def observe(name, **options):
    dataset = load_dataset(name, options=DatasetOptions(**options))
    return {
        "name": dataset.name,
        "location": dataset.location,
        "split": dataset.split,
        "revision": dataset.revision,
        "fingerprint": dataset.fingerprint,
        "n_clips": dataset.n_clips,
        "label_map": dict(dataset.label_map),
        "licence": dataset.licence,
        "caveats": list(dataset.caveats),
        "left_out": [[part.n, part.reason] for part in dataset.left_out],
        "clips": [facts(clip) for clip in dataset.clips(0, None)],
        "metadata": [facts(clip) for clip in dataset.metadata(0, None)],
        "slices": {
            f"{start}:{stop}": [facts(clip) for clip in dataset.clips(start, stop)]
            for start, stop in SLICES
        },
    }


def facts(clip):
    audio = clip.audio
    if isinstance(audio, Path):
        audio = audio.read_bytes() if audio.is_file() else b"missing"
    return {
        "id": clip.id,
        "index": clip.index,
        "label": clip.label,
        "speaker": clip.speaker,
        "groups": dict(clip.groups),
        "audio": hashlib.sha256(audio).hexdigest() if audio else "",
    }


def observe_or_say(name, **options):
    try:
        return observe(name, **options)
    except ServalError as error:
        return {"error": type(error).__name__, "message": str(error)}


def observe_each(sets, shrink_waits, free_bytes):
    """Each (name, options) of the sets, with warnings on standard error as commands have them.

    Shrunken are the waits before the hub is asked again: serval's, and those of the hub's client.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    sleep = time.sleep
    waits = patch("time.sleep", lambda _: sleep(0.01)) if shrink_waits else nullcontext()
    free = free_bytes or shutil.disk_usage("/").free
    usage = type(shutil.disk_usage("/"))(free, 0, free)
    with waits, patch("shutil.disk_usage", return_value=usage):
        return [observe_or_say(name, **options) for name, options in sets]
