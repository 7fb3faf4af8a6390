"""Tiny encoders of every supported family, with weights large enough to matter."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    CamembertConfig,
    DistilBertConfig,
    ElectraConfig,
    ErnieConfig,
    MPNetConfig,
    PreTrainedConfig,
    PreTrainedModel,
    RobertaConfig,
    XLMRobertaConfig,
)

SIZE = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
}
CONFIGS: dict[str, PreTrainedConfig] = {
    "bert": BertConfig(**SIZE),
    "roberta": RobertaConfig(**SIZE),
    "xlm-roberta": XLMRobertaConfig(**SIZE),
    "camembert": CamembertConfig(**SIZE),
    "ernie": ErnieConfig(**SIZE),
    "electra": ElectraConfig(**SIZE, embedding_size=16),
    "mpnet": MPNetConfig(**SIZE),
    "distilbert": DistilBertConfig(
        vocab_size=60, dim=32, n_layers=3, n_heads=4, hidden_dim=48, max_position_embeddings=40
    ),
}


def classifier(
    family: str = "bert", *, seed: int = 0, num_labels: int = 3, **changes: int
) -> PreTrainedModel:
    config = copy.deepcopy(CONFIGS[family])
    config.update({**changes, "num_labels": num_labels})
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    for parameter in model.parameters():  # the default start is so small that every row answers alike
        parameter.data += 0.15 * torch.randn_like(parameter)
    return model


def batch(*, rows: int = 3, length: int = 9, seed: int = 0) -> dict[str, Tensor]:
    """Rows of unequal length, padded on the right."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, 60, (rows, length), generator=generator)
    lengths = torch.arange(length, length - rows, -1).clamp(min=3)
    mask = (torch.arange(length)[None] < lengths[:, None]).long()
    return {"input_ids": torch.where(mask.bool(), ids, 1), "attention_mask": mask}
