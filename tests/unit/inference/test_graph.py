from __future__ import annotations

import pytest
import torch
from tests import easy
from transformers import AutoConfig, PreTrainedModel

from tinybert.errors import ModelError
from tinybert.inference.graph import FAR_BELOW, Graph
from tinybert.models.families import FAMILIES
from tinybert.models.head import HEADS, QUESTION, SEQUENCE, Head
from tinybert.models.inputs import logits_of

LABELLING = [head for head in HEADS if head.has_labels]
SIZES = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    "type_vocab_size": 2,
}
DISTIL = {
    "vocab_size": 60,
    "dim": 32,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dim": 48,
    "max_position_embeddings": 40,
}


def make(family: str, head: Head) -> PreTrainedModel:
    torch.manual_seed(0)
    sizes = DISTIL if family == "distilbert" else SIZES
    config = AutoConfig.for_model(family, **sizes, num_labels=2 if head == QUESTION else 3)
    model = head.auto_class.from_config(config).eval()
    model.config.architectures = [f"Some{head.class_ending}"]
    with torch.no_grad():
        for parameter in model.parameters():  # weights that matter: fresh ones are nearly nought
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def batch(num_rows: int = 3, num_tokens: int = 11) -> dict[str, torch.Tensor]:
    ids = torch.randint(5, 60, (num_rows, num_tokens), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1:2, 6:] = 0
    ids[mask == 0] = 1  # RoBERTa counts places up to its padding, 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}


@pytest.mark.parametrize("head", LABELLING, ids=lambda head: head.class_ending)
@pytest.mark.parametrize("family", list(FAMILIES))
@torch.inference_mode()
def test_the_graph_answers_as_the_model_does(family: str, head: Head) -> None:
    tokenizer = easy.make_tokenizer()
    if family in ("distilbert", "roberta", "xlm-roberta", "camembert", "mpnet"):
        tokenizer.model_input_names = ["input_ids", "attention_mask"]
    model, given = make(family, head), batch()
    wanted = logits_of(model(**{name: given[name] for name in tokenizer.model_input_names}))
    graph = Graph(model, tokenizer)
    found = graph(*(given[name] for name in graph.input_names))
    scores = found[0] if len(found) == 1 else torch.stack(found, dim=-1)
    assert graph.input_names[:2] == ("input_ids", "attention_mask")
    assert graph.output_names == (("start_logits", "end_logits") if head == QUESTION else ("logits",))
    real = given["attention_mask"].bool() if head != SEQUENCE else slice(None)
    assert wanted[real].std() > 0.01
    torch.testing.assert_close(scores[real], wanted[real], atol=2e-5, rtol=1e-5)


@torch.inference_mode()
def test_padding_changes_nothing_in_the_graph() -> None:
    graph = Graph(make("bert", SEQUENCE), easy.make_tokenizer())
    row = batch(num_rows=1)
    (alone,) = graph(*row.values())
    longer = {name: torch.nn.functional.pad(part, (0, 7), value=0) for name, part in row.items()}
    longer["input_ids"][0, -7:] = 33
    (padded,) = graph(*longer.values())
    torch.testing.assert_close(padded, alone, atol=1e-6, rtol=0)
    assert torch.softmax(torch.tensor([0.0, FAR_BELOW]), 0)[1] == 0


def test_the_last_layer_computes_the_first_token_only_where_only_that_is_read() -> None:
    widths: list[int] = []
    for head in LABELLING:
        graph = Graph(make("bert", head), easy.make_tokenizer())
        last = graph.model.base_model.encoder.layers[-1]
        last.ffn_in.register_forward_hook(lambda module, given, found: widths.append(found.shape[1]))
        graph(*batch().values())
    assert widths == [1, 11, 11]


def test_an_unknown_family_is_refused_with_those_there_are() -> None:
    config = AutoConfig.for_model("albert", hidden_size=32, num_attention_heads=2, num_hidden_layers=1)
    model = SEQUENCE.auto_class.from_config(config)
    with pytest.raises(ModelError, match=r"albert: cannot be exported \(supported: bert, .*--backend torch"):
        Graph(model, easy.make_tokenizer())
