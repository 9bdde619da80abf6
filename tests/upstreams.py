"""Small pretrained encoders with random weights, in the layout of transformers."""

import json
from pathlib import Path

import pytest
import torch
import transformers
from hub_server import Repository

from mlee_sb.models.encoders.pretrained import STATISTICS, PretrainedEncoder
from mlee_sb.models.upstreams.whisper import CUT

REAL = Path(__file__).resolve().parents[2] / "shared"
"""Where real encoders of Whisper lie, beside the checkout where there are any."""

RATE = 16000
WAVEFORM = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": RATE, "do_normalize": True}
LAYERS = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}
CONVOLUTIONS = {"conv_dim": (8, 8, 8), "conv_kernel": (10, 4, 4), "conv_stride": (5, 4, 4)}
POSITIONS = {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}

SMALL = {
    "whisper": (
        {"d_model": 16, "encoder_layers": 3, "encoder_attention_heads": 2, "encoder_ffn_dim": 24, "num_mel_bins": 20, "decoder_layers": 1}
        | {"decoder_attention_heads": 2, "decoder_ffn_dim": 8, "max_source_positions": 100, "vocab_size": 8, "max_target_positions": 4}
        | {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 0},
        {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 20, "chunk_length": 2, "sampling_rate": RATE},
    ),
    "wav2vec2": (LAYERS | CONVOLUTIONS | POSITIONS, WAVEFORM),
    "hubert": (LAYERS | CONVOLUTIONS | POSITIONS, WAVEFORM),
    "wavlm": (LAYERS | CONVOLUTIONS | POSITIONS | {"num_buckets": 20, "max_bucket_distance": 40}, WAVEFORM),
    "data2vec-audio": (LAYERS | CONVOLUTIONS | {"conv_pos_kernel_size": 5} | POSITIONS | {"num_conv_pos_embeddings": 3}, WAVEFORM),
    "wav2vec2-bert": (
        LAYERS | {"feature_projection_input_dim": 40, "conv_depthwise_kernel_size": 5, "left_max_position_embeddings": 12},
        {"feature_extractor_type": "SeamlessM4TFeatureExtractor", "num_mel_bins": 20, "feature_size": 20, "padding_value": 1},
    ),
}
"""By model_type: its config, and its processor."""


def write_upstream(folder: Path, model_type: str, head: str = "", **settings) -> Path:
    """Write the folder of a small model with random weights, so large that a wrong mask shows; `settings` change its config."""
    config, processor = SMALL[model_type]
    config = transformers.AutoConfig.for_model(model_type, **(config | settings))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = getattr(transformers, head)._from_config(config) if head else transformers.AutoModel.from_config(config)
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if tensor.dim() > 1:
                tensor.data.normal_(std=1.5 * tensor[0].numel() ** -0.5)
            elif tensor.is_floating_point():
                tensor.data.normal_(std=0.3).add_(1.0 if name.endswith(("norm.weight", "running_mean")) else 0.0).abs_()
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def pretrained_encoder(upstream: Path, **changed) -> PretrainedEncoder:
    """An encoder with few units on an upstream, with some of its settings changed."""
    settings = {"layers": [], "context": CUT, "pooling": STATISTICS, "attention_size": 5, "min_std": 1e-3, "dropout": 0.5}
    return PretrainedEncoder(str(upstream), **{**settings, "dense_size": 8, "learn_layers": 0, **changed})


def real_upstream(name: str) -> Path:
    """The folder of a real encoder."""
    if not (REAL / name / "config.json").is_file():
        pytest.skip(f"needs a real encoder: none at {REAL / name}")
    return REAL / name


def put_on_hub(hub, folder: Path, name: str, **more: bytes) -> str:
    """Put the files of a folder on a hub of the tests, and more files; return the commit."""
    repository = hub.repositories.setdefault(name, Repository(private=False))
    return repository.commit({file.name: file.read_bytes() for file in folder.iterdir()} | more)
