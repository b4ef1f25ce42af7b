"""What turns waveforms into logits."""
