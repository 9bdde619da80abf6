"""Encoders: from waveforms to embeddings (contract 4)."""
