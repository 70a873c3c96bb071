"""A wav2vec 2.0 encoder with a head for dimensional emotion, as audEERING publishes it.

Source:
    Wagner et al. 2023, arXiv:2203.07378; the card of audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim.
"""

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model, Wav2Vec2PreTrainedModel


class RegressionHead(nn.Module):
    """dense -> tanh -> out_proj, from a pooled hidden state to emotion dimensions."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(config.final_dropout)
        self.out_proj = nn.Linear(config.hidden_size, config.num_labels or 0)

    def forward(self, pooled: Tensor) -> Tensor:
        """(…, hidden_size) to (…, num_labels)."""
        return self.out_proj(self.dropout(torch.tanh(self.dense(self.dropout(pooled)))))


class EmotionModel(Wav2Vec2PreTrainedModel):
    """Encoder and head under the names of the published weights: `wav2vec2.*`, `classifier.*`."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.wav2vec2 = Wav2Vec2Model(config)
        self.classifier = RegressionHead(config)
        self.post_init()

    def forward(self, input_values: Tensor) -> tuple[Tensor, Tensor]:
        """(B, hidden_size) mean hidden state and (B, num_labels) dimensions of whole utterances."""
        pooled = self.wav2vec2(input_values).last_hidden_state.mean(1)
        return pooled, self.classifier(pooled)
