"""What turns waveforms into logits.

From `models.load`: `load_model`, and `RUNTIMES`, where a runtime is one line and one file.
"""
