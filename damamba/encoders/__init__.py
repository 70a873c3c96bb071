"""Pretrained encoders that extractors use: checkpoints and their licences, wav2vec 2.0, the emotion head."""
