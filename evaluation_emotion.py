"""Evaluate a quantized emotion model on the SSI speech emotion set. No arguments; edit `main`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))

from serval.cli import exit_code
from serval.commands.evaluate import run_evaluation
from serval.evaluate import EvalOptions


def main() -> int:
    """Evaluate and return the exit code, which means what it means for `serval evaluate`."""
    DEV_MODE = False  # noqa: N806 - the published script's own names
    DEV_SAMPLES = 50  # noqa: N806 - the published script's own names
    MODEL_PATH = "emotion_recognition_quantized.onnx"  # noqa: N806 - the published script's own names
    OUTPUT_DIR = "./evaluation_results"  # noqa: N806 - the published script's own names

    options = EvalOptions(
        model=MODEL_PATH,
        dataset="ssi",
        split="validation",
        limit=DEV_SAMPLES if DEV_MODE else None,
        output=OUTPUT_DIR,
    )
    return exit_code(lambda: run_evaluation(options))


if __name__ == "__main__":
    sys.exit(main())
