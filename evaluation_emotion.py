"""Evaluate a quantized emotion model on the SSI speech emotion set. No arguments; edit `main`."""

import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    """Evaluate and exit; the exit code means what it means for `serval evaluate`."""
    DEV_MODE = False
    DEV_SAMPLES = 50
    MODEL_PATH = "emotion_recognition_quantized.onnx"
    OUTPUT_DIR = "./evaluation_results"

    evaluate(
        model=MODEL_PATH,
        dataset="ssi",
        split="validation",
        limit=DEV_SAMPLES if DEV_MODE else None,
        dev_mode=DEV_MODE,
        output=OUTPUT_DIR,
    )


def evaluate(model: str, **options: object) -> None:
    """Evaluate as `serval evaluate` does, once it is sure that there is something to do it with."""
    try:
        import_module("serval.results")  # it loads late what scores and pictures need
        from serval.cli import run
        from serval.commands.evaluate import run_evaluation
        from serval.evaluation import EvalOptions
    except ImportError as missing:
        refuse(
            f"package '{missing.name}' is not installed; in the folder of this script: "
            "pip install -r requirements.txt"
        )
    if model.endswith(".onnx") and not model.startswith("hf:") and not Path(model).is_file():
        refuse(
            f"no model '{model}' in {Path.cwd()}; set MODEL_PATH in evaluation_emotion.py to an "
            "ONNX file: `serval export CHECKPOINT -o model.onnx` makes one of a transformers "
            "checkpoint, and 'serval-tiny' is the built-in model"
        )
    run(lambda: run_evaluation(EvalOptions(model=model, **options)))


def refuse(reason: str) -> None:
    """Say in one line what is missing, and exit as `serval` does where something is wrong."""
    sys.stderr.write(f"evaluation_emotion.py: {reason}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
