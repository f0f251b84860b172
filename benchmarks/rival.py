"""The rival of `benchmarks.speed`: our network as a class that transformers' pipelines run.

It imports nothing but what the rival needs, since its start-up time and memory are measured.
"""

from __future__ import annotations

from logging import CRITICAL

from torch import Tensor, nn
from transformers import BertConfig, BertModel, BertPreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.utils import logging


class MeanPooledForSequenceClassification(BertPreTrainedModel):  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    """What transformers' BertForSequenceClassification is, but for the mean of all tokens in place of the first."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.classifier = nn.Linear(config.hidden_size, len(config.id2label or {}))
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> SequenceClassifierOutput:
        states = self.bert(input_ids, attention_mask, token_type_ids).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        return SequenceClassifierOutput(logits=self.classifier((states * mask).sum(dim=1) / mask.sum(dim=1)))


def quiet() -> None:
    """Keep transformers from drawing progress bars, and from listing every class that its pipelines know but this."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity(CRITICAL)
