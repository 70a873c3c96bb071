"""An architecture: a GRU over the cues of the target, which aligns all modality groups."""

import torch
from torch import nn
from torch.nn.functional import normalize

from damamba.config import Positive, Section
from damamba.model.base import EngagementModel, Output, score_head, standardise_each


class GatedParams(Section):
    width: Positive


class Gated(EngagementModel[GatedParams]):
    Params = GatedParams

    def __init__(self, cues, params, rate_hz, statistics=None, label_mean=0.5):
        super().__init__(cues, params, rate_hz, statistics, label_mean)
        self.standardise = standardise_each(self.widths, statistics)
        self.groups = nn.ModuleDict(
            {group: nn.Linear(sum(widths.values()), params.width) for group, widths in self.cues.items()}
        )
        self.gru = nn.GRU(params.width * len(self.cues), params.width, batch_first=True)
        self.head = score_head(params.width, label_mean)

    def forward(self, cues, valid, present):
        seen = {name: valid[name][:, 0] & present[:, :1] for name in self.widths}
        x = {name: layer(cues[name][:, 0], seen[name]) for name, layer in self.standardise.items()}
        groups = {
            group: self.groups[group](torch.cat([x[name] for name in widths], -1))
            for group, widths in self.cues.items()
        }
        y, _ = self.gru(torch.cat(list(groups.values()), -1))
        aligned = {group: normalize(vectors, dim=-1) for group, vectors in groups.items()}
        return Output(torch.sigmoid(self.head(y).squeeze(-1)), aligned)
