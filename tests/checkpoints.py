"""Tiny checkpoints in hub layout, one for each family of audio classifiers, with random weights."""

import torch
import transformers

from build import EMOTIONS

LABELS = {"num_labels": 8, "id2label": dict(enumerate(EMOTIONS))}
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    **LABELS,
}
WAVE = {
    **SMALL,
    "conv_dim": (16, 16),
    "conv_kernel": (20, 8),
    "conv_stride": (10, 8),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "classifier_proj_size": 16,
}
LAYER_NORM = {
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
    "use_weighted_layer_sum": True,
}


def _wave(config, normalize=True, **options):
    extractor = transformers.Wav2Vec2FeatureExtractor(
        do_normalize=normalize, return_attention_mask=options.get("feat_extract_norm") == "layer"
    )
    return config(**WAVE | options), extractor


def _whisper(seconds=30):
    """Hears clips filled up to 30 s, as those that are published, or to less, in less time."""
    config = transformers.WhisperConfig(
        d_model=32, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=48,
        decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=32, vocab_size=100,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=3,
        classifier_proj_size=16, use_weighted_layer_sum=True,
        max_source_positions=50 * seconds, **LABELS,
    )  # fmt: skip
    return config, transformers.WhisperFeatureExtractor(chunk_length=seconds)


def _patches():
    config = transformers.ASTConfig(**SMALL, max_length=256, num_mel_bins=64)
    return config, transformers.ASTFeatureExtractor(max_length=256, num_mel_bins=64)


def _bert():
    config = transformers.Wav2Vec2BertConfig(
        **SMALL, classifier_proj_size=16, conv_depthwise_kernel_size=7
    )
    return config, transformers.SeamlessM4TFeatureExtractor()


FAMILIES = {
    "wav2vec2": lambda: _wave(transformers.Wav2Vec2Config),
    "wav2vec2-large": lambda: _wave(transformers.Wav2Vec2Config, **LAYER_NORM),
    "hubert": lambda: _wave(transformers.HubertConfig, normalize=False),
    "wavlm": lambda: _wave(transformers.WavLMConfig, num_buckets=32, max_bucket_distance=80),
    "wav2vec2-conformer": lambda: _wave(
        transformers.Wav2Vec2ConformerConfig, conv_depthwise_kernel_size=7
    ),
    "wav2vec2-conformer, rotary": lambda: _wave(
        transformers.Wav2Vec2ConformerConfig,
        conv_depthwise_kernel_size=7,
        position_embeddings_type="rotary",
    ),
    "data2vec-audio": lambda: _wave(
        transformers.Data2VecAudioConfig, num_conv_pos_embeddings=3, conv_pos_kernel_size=7
    ),
    "whisper": _whisper,
    "whisper of 10 s": lambda: _whisper(seconds=10),
    "audio-spectrogram-transformer": _patches,
    "wav2vec2-bert": _bert,
    "sew": lambda: _wave(transformers.SEWConfig),
}


def checkpoint(folder, family="wav2vec2", layers=2):
    """The folder of a checkpoint of that family, whose logits are of the size of real ones."""
    torch.manual_seed(0)
    config, extractor = FAMILIES[family]()
    config.num_hidden_layers = layers
    model = transformers.AutoModelForAudioClassification.from_config(config).eval()
    head = model.classifier.dense if hasattr(model.classifier, "dense") else model.classifier
    with torch.no_grad():
        head.weight.mul_(50)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder
