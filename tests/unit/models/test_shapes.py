import pytest

from tinybert.errors import ModelError
from tinybert.models.shapes import BUILTIN, Shape, resolve_shape, shape_problems


@pytest.mark.parametrize("name", BUILTIN)
def test_every_named_shape_can_exist_and_says_its_name(name):
    shape = resolve_shape(name, {})
    decoder = f"-{shape.num_decoder_layers}l" if shape.num_decoder_layers else "l"
    assert name == f"{shape.num_hidden_layers}{decoder}-{shape.hidden_size}d"
    assert shape_problems(shape) == []


def test_overrides_replace_single_numbers_and_none_leaves_them():
    shape = resolve_shape("4l-312d", {"num_hidden_layers": 2, "hidden_size": None})
    assert shape == Shape(2, 312, 12, 1200)


def test_without_a_name_all_four_numbers_are_needed():
    four = {"num_hidden_layers": 1, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 16}
    assert resolve_shape(None, four) == Shape(1, 8, 2, 16)
    with pytest.raises(ModelError, match="or also hidden_size, intermediate_size"):
        resolve_shape(None, {"num_hidden_layers": 1, "num_attention_heads": 2})


def test_heads_must_divide_the_width():
    with pytest.raises(ModelError, match=r"hidden_size = 312 is not a multiple of num_attention_heads = 5"):
        resolve_shape("4l-312d", {"num_attention_heads": 5})


def test_all_impossible_numbers_are_listed():
    with pytest.raises(ModelError) as caught:
        resolve_shape("4l-312d", {"num_hidden_layers": 0, "intermediate_size": -1})
    assert len(caught.value.problems) == 2


def test_unknown_names_and_fields_come_with_the_nearest():
    with pytest.raises(ModelError, match="did you mean '4l-312d'"):
        resolve_shape("4l-321d", {})
    with pytest.raises(ModelError, match="did you mean 'hidden_size'"):
        resolve_shape("4l-312d", {"hiden_size": 3})
