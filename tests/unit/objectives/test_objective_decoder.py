import pytest
import torch
from tests import writing

from tinybert.losses import cross_attention_score_mse, decoder_hidden_state_mse
from tinybert.models.decoder_capture import DecoderCapture
from tinybert.models.inputs import run_model
from tinybert.objectives import DistillObjective, Teaching, remove_projections
from tinybert.tasks import BUILTIN
from tinybert.teachers import ModelTeacher

TASK = BUILTIN["seq2seq"]
LOSSES = {"decoder_hidden_state_mse": 2.0, "cross_attention_score_mse": 1.0, "hidden_state_mse": 1.0}


def batch():
    return {
        "input_ids": torch.tensor([[2, 5, 6, 7, 3], [2, 8, 3, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
        "labels": torch.tensor([[5, 6, 3], [9, 3, -100]]),
    }


def objective(student, teacher, losses=LOSSES):
    teaching = Teaching(losses, (1, 2), decoder_map=(2,))
    return DistillObjective(
        student,
        ModelTeacher(teacher, teaching.wanted()),
        teaching,
        hard_loss=TASK.hard_loss("cross_entropy"),
        teacher_hidden_size=48,
        rows=TASK.rows,
    )


def captured(model, **wanted):
    with torch.no_grad(), DecoderCapture(model, **wanted) as taken:
        run_model(model, batch())
    return taken


def test_terms_on_a_decoder_are_those_of_its_mapped_layers():
    student, teacher = writing.make_pair(seed=1).eval(), writing.make_pair(num_decoder_layers=2).eval()
    terms = objective(student, teacher)(student, batch())
    own, its = captured(student, hidden=[1], cross=[1]), captured(teacher, hidden=[2], cross=[2])
    real = batch()["labels"] != -100
    hidden = decoder_hidden_state_mse(own.decoder_hidden[1], its.decoder_hidden[2], mask_BT=real)
    cross = cross_attention_score_mse(
        own.cross_scores[1], its.cross_scores[2], mask_BT=real, mask_BL=batch()["attention_mask"]
    )
    assert float(terms["decoder_hidden_state_mse"].detach()) == pytest.approx(2 * float(hidden), rel=1e-4)
    assert float(terms["cross_attention_score_mse"].detach()) == pytest.approx(float(cross), rel=1e-4)
    torch.stack(list(terms.values())).sum().backward()
    layer = student.decoder.bert.encoder.layer[0]
    assert layer.crossattention.self.query.weight.grad.abs().sum() > 0


def test_a_narrower_decoder_has_projections_of_its_own():
    student = writing.make_pair(seed=1, hidden_size=24, intermediate_size=48).eval()
    teacher = writing.make_pair(num_decoder_layers=2).eval()
    one = objective(student, teacher)
    assert len(one.projections) == 4  # embeddings, two layers, one of the decoder
    assert one.learnt_projections().shape == (3, 48, 24)
    one(student, batch())["decoder_hidden_state_mse"].backward()
    assert one.projections[3].weight.grad.abs().sum() > 0
    remove_projections(student)
    assert "distillation_projections" not in dict(student.named_children())
