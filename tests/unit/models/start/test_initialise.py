import pytest
import torch
from tests.unit.models.tiny import CONFIGS, batch, classifier

from tinybert.errors import ModelError
from tinybert.models import Shape, random_start, student_config
from tinybert.models.families import encoder
from tinybert.models.head import logits_layer, pooler_layer

SHAPE = Shape(2, 24, 3, 40)


@pytest.mark.parametrize("family", CONFIGS)
def test_a_student_of_any_teacher_is_a_bert_that_reads_its_tokens(family):
    teacher = CONFIGS[family]
    config = student_config(
        teacher, SHAPE, num_labels=2, id2label={0: "no", 1: "yes"}, problem_type="single_label_classification"
    )
    assert config.model_type == "bert"
    assert (config.vocab_size, config.pad_token_id) == (teacher.vocab_size, teacher.pad_token_id)
    assert (config.num_hidden_layers, config.hidden_size, config.intermediate_size) == (2, 24, 40)
    assert config.label2id == {"no": 0, "yes": 1}
    assert config.problem_type == "single_label_classification"
    assert random_start(config, seed=0)(**batch()).logits.shape == (3, 2)


def test_roberta_positions_start_behind_the_padding():
    config = student_config(CONFIGS["roberta"], SHAPE, num_labels=2)
    assert config.max_position_embeddings == 40 - 2


def test_a_random_start_depends_on_its_seed_alone():
    config = student_config(CONFIGS["bert"], SHAPE, num_labels=2)
    state = torch.random.get_rng_state()
    first, again, other = (random_start(config, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not first.training
    assert torch.equal(first.classifier.weight, again.classifier.weight)
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


def test_an_impossible_shape_is_refused():
    with pytest.raises(ModelError, match="not a multiple"):
        student_config(CONFIGS["bert"], Shape(2, 25, 3, 40), num_labels=2)


@pytest.mark.parametrize("family", CONFIGS)
def test_the_heads_layers_are_found_in_every_family(family):
    model = classifier(family)
    assert logits_layer(model).out_features == 3
    assert pooler_layer(model).out_features == 32
    assert logits_layer(encoder(model)) is None


def test_regression_has_one_output():
    config = student_config(CONFIGS["bert"], SHAPE, num_labels=1, problem_type="regression")
    assert random_start(config, seed=0)(**batch(), labels=torch.zeros(3)).loss.shape == ()
