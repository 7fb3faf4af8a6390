import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from tests import easy
from tests.unit.models.tiny import CONFIGS, batch, classifier
from torch import nn
from transformers import BertForSequenceClassification

from tinybert.data import Collator
from tinybert.losses import cross_entropy, mse
from tinybert.models.dropout import set_dropout
from tinybert.models.families import encoder
from tinybert.models.head import logits_layer, pooler_layer
from tinybert.models.start.head_fit import (
    Probe,
    choose_penalty,
    fit_dense,
    fit_head,
    fit_logits_layer,
    frozen_vectors,
)


def separable(model: nn.Module, *, rows: int = 120) -> list[dict[str, torch.Tensor]]:
    """Rows whose first word is their class, in batches."""
    given = batch(rows=rows, seed=1)
    labels = torch.arange(rows) % 3
    given["input_ids"][:, 1:3] = 10 + labels[:, None]
    given["labels"] = labels
    return [{name: value[i : i + 50] for name, value in given.items()} for i in range(0, rows, 50)]


@pytest.mark.parametrize("family", CONFIGS)
def test_a_fitted_head_tells_classes_apart_in_an_ordinary_model(family: str) -> None:
    model = classifier(family)
    before = {name: weight.clone() for name, weight in encoder(model).state_dict().items()}
    batches = separable(model)
    assert fit_head(model, batches, loss=cross_entropy).num_rows == 120
    inputs = {name: batches[0][name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        logits = model(**inputs).logits
    assert (logits.argmax(-1) == batches[0]["labels"]).float().mean() > 0.8
    after = encoder(model).state_dict()
    changed = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
    assert changed <= {"pooler.dense.weight", "pooler.dense.bias"}


@pytest.mark.parametrize("family", CONFIGS)
def test_the_dense_layer_gives_the_pooled_vector_of_a_text(family: str) -> None:
    model = classifier(family)
    batches = separable(model)
    vectors = frozen_vectors(model, batches, pooling="mean")
    with torch.no_grad():
        states = encoder(model)(**{k: v for k, v in batches[0].items() if k != "labels"}).last_hidden_state
    length = int(batches[0]["attention_mask"][1].sum())
    mean = states[1, :length].mean(0)
    torch.testing.assert_close(vectors.pooled[1], mean / mean.norm())
    torch.testing.assert_close(vectors.first[1], states[1, 0])
    fit_dense(model, vectors)
    with torch.no_grad():
        given = pooler_layer(model)(vectors.first)
    pairs = np.corrcoef(
        (given - given.mean(0)).flatten(), (vectors.pooled - vectors.pooled.mean(0)).flatten()
    )
    assert pairs[0, 1] > 0.9
    assert 0.4 < given.std(0).square().mean().sqrt() < 0.51
    offset = {"electra": 1.0, "distilbert": 1.0}.get(family, 0.0)
    assert given.mean().item() == pytest.approx(offset, abs=1e-3)


def test_the_logits_layer_is_that_of_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(200, 5, generator=generator, dtype=torch.float64)
    labels = (inputs @ torch.randn(5, 3, generator=generator, dtype=torch.float64)).argmax(-1)
    probe = Probe(inputs.new_zeros(3, 5), inputs.new_zeros(3), cross_entropy)
    probe.fit(inputs, labels, penalty=30.0)
    theirs = LogisticRegression(C=1 / 30, tol=1e-8, max_iter=1000).fit(inputs.numpy(), labels.numpy())
    ours = nn.functional.linear(inputs, probe.weight, probe.bias).softmax(-1).detach().numpy()
    np.testing.assert_allclose(ours, theirs.predict_proba(inputs.numpy()), atol=1e-4)


def test_numbers_are_fitted_by_ridge_regression() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(100, 4, generator=generator, dtype=torch.float64)
    values = inputs @ torch.tensor([1.0, -2.0, 0.5, 0.0], dtype=torch.float64) + 3
    probe = Probe(inputs.new_zeros(1, 4), inputs.new_zeros(1), mse)
    probe.fit(inputs, values, penalty=30.0)
    centred = inputs - inputs.mean(0)
    expected = torch.linalg.solve(
        centred.T @ centred + 15 * torch.eye(4), centred.T @ (values - values.mean())
    )
    torch.testing.assert_close(probe.weight[0].detach(), expected, atol=1e-5, rtol=1e-4)


def test_inputs_of_any_scale_and_place_give_the_same_logits() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(100, 4, generator=generator)
    labels = (inputs[:, 0] > 0).long()
    ours, moved = nn.Linear(4, 2), nn.Linear(4, 2)
    fit_logits_layer(ours, inputs, labels, loss=cross_entropy)
    fit_logits_layer(moved, 10 * inputs + 7, labels, loss=cross_entropy)
    torch.testing.assert_close(moved(10 * inputs + 7), ours(inputs), atol=0.02, rtol=0.01)


def test_noise_is_held_back_more_than_a_rule() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(300, 60, generator=generator)
    noise = torch.randint(0, 2, (300,), generator=generator)
    chosen = [
        choose_penalty(Probe(inputs.new_zeros(2, 60), inputs.new_zeros(2), cross_entropy), inputs, labels)
        for labels in (noise, (inputs[:, 0] > 0).long())
    ]
    assert chosen == [300.0, 3.0]


def test_a_fit_draws_nothing_at_random_and_keeps_the_mode() -> None:
    state = torch.random.get_rng_state()
    heads = []
    for training in (True, False):
        torch.manual_seed(0)
        model = classifier().train(training)
        drawn = torch.random.get_rng_state()
        fit_head(model, separable(model), loss=cross_entropy)
        assert torch.equal(torch.random.get_rng_state(), drawn)
        assert model.training is training
        heads.append(logits_layer(model).weight)
    torch.random.set_rng_state(state)
    assert torch.equal(heads[0], heads[1])


@pytest.mark.parametrize(("dropout", "is_lost"), [(0.1, False), (0.0, True)])
def test_what_dropout_drowns_is_not_relied_on(dropout: float, is_lost: bool) -> None:
    torch.manual_seed(0)
    model = BertForSequenceClassification(easy.make_config())  # as drawn, its first tokens hardly differ
    rows = easy.encode_rows(easy.make_rows(240))
    batch = Collator(easy.make_tokenizer())([rows[i] for i in range(240)])
    set_dropout(model, dropout)
    fit_head(model, [batch], loss=cross_entropy)
    set_dropout(model, 0.1)
    torch.manual_seed(1)
    with torch.no_grad():
        logits = model.train()(batch["input_ids"], batch["attention_mask"]).logits
    assert (cross_entropy(logits, batch["labels"]) > 1.5) == is_lost


def test_several_passes_fit_the_dense_layer_to_more_and_the_logits_to_the_first() -> None:
    once, often = classifier(), classifier()
    batches = separable(once, rows=20)
    assert fit_head(once, batches, loss=cross_entropy).num_rows == 20
    assert fit_head(often, batches * 30, loss=cross_entropy, num_passes=30).num_rows == 20
    unseen = frozen_vectors(once, batches, pooling="mean", seed=7)

    def error(model: nn.Module) -> float:
        with torch.no_grad():
            given = pooler_layer(model)(unseen.first)
        pairs = [(given - given.mean(0)).flatten(), (unseen.pooled - unseen.pooled.mean(0)).flatten()]
        return 1 - float(np.corrcoef(*pairs)[0, 1])

    assert error(often) < 0.8 * error(once)  # of a dropout that neither has seen


def test_a_single_row_is_enough() -> None:
    model = classifier()
    given = {name: value[:1] for name, value in separable(model)[0].items()}
    fit_head(model, [given], loss=cross_entropy)
    assert model(given["input_ids"]).logits.isfinite().all()
