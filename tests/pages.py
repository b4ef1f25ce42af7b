"""Real runs for the tests of pages, some of them from a dataset that means harm."""

from dataclasses import asdict

from build import EMOTIONS, classifier, encoded, labels_metadata, voice, write_manifest
from serval.datasets import load_dataset
from serval.machine import platform_facts
from serval.models.onnx import load_onnx
from serval.options import EvalOptions
from serval.predict import predict
from serval.run import Journal, Provenance, load_run

HARM = (
    "</script><script>window.harmed=1</script>"
    '<img src=x onerror="window.harmed=1">&amp;"\'{{style}}'
)


def spoken_set(folder, n=24, *, labels=EMOTIONS, harm="", broken=0):
    """A manifest with speaker, gender and text beside WAV files, the first `broken` empty."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(n):
        path = folder / f"clip{i:04d}{harm.replace('/', '')[:60]}.wav"
        path.write_bytes(b"" if i < broken else encoded(voice(i, 0.6 + 0.05 * (i % 5))))
        rows.append(
            {
                "path": path.name,
                "label": labels[i % len(labels)],
                "speaker": f"s{i % 6}{harm}",
                f"gender{harm}": f"{'FM'[i % 2]}{harm}",
                "text": f"Say the word number {i}.{harm}",
            }
        )
    return write_manifest(folder / "set.csv", rows)


def evaluated(folder, manifest, *, seed=0, labels=EMOTIONS, name="emo", limit=None):
    """A stored run of a small model on a manifest, without the pictures of an evaluation."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    model = load_onnx(classifier(path, seed=seed, k=len(labels), metadata=labels_metadata(labels)))
    dataset = load_dataset(str(manifest))
    provenance = Provenance(
        labels=model.labels,
        model=model.facts,
        dataset={
            "name": dataset.name, "location": dataset.location, "split": "", "revision": "",
            "fingerprint": dataset.fingerprint, "licence": "not stated", "caveats": [],
        },
        options=asdict(EvalOptions(model=str(path), dataset=str(manifest), limit=limit)),
        platform=platform_facts(),
        identity={},
    )  # fmt: skip
    with Journal(folder=folder / "run", provenance=provenance) as journal:
        journal.begin("2026-01-01T00:00:00+00:00")
        for record in predict(model, dataset.clips(0, limit)):
            journal.append(record, 0.1)
        journal.finish(1.0, dropped={}, peak_memory_mb=1.0)
    return load_run(folder / "run")
