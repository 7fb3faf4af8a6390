import pytest

from tinybert.errors import ModelError, RecipeError
from tinybert.models.layer_maps import BUILTIN, first, last, resolve_layer_map, uniform


@pytest.mark.parametrize(
    ("student", "teacher", "expected"),
    [
        (4, 12, [3, 6, 9, 12]),
        (6, 12, [2, 4, 6, 8, 10, 12]),
        (3, 6, [2, 4, 6]),
        (4, 6, [1, 3, 4, 6]),
        (5, 12, [1, 4, 7, 9, 12]),
        (1, 6, [6]),
        (6, 6, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_uniform(student, teacher, expected):
    assert uniform(student, teacher) == expected


def test_first():
    assert first(2, 6) == [1, 2]


def test_last():
    assert last(2, 6) == [5, 6]


@pytest.mark.parametrize("name", BUILTIN)
def test_every_map_is_valid_at_every_size(name):
    for teacher in range(1, 33):
        for student in range(1, teacher + 1):
            layers = resolve_layer_map(name, student, teacher)
            assert len(layers) == student
            assert layers[-1] == (student if name == "first" else teacher)
            assert layers == sorted(set(layers))
            assert layers[0] >= 1


def test_an_explicit_list_is_checked_and_all_problems_listed():
    assert resolve_layer_map([2, 5], 2, 6) == [2, 5]
    with pytest.raises(ModelError) as caught:
        resolve_layer_map([5, 2, 9], 2, 6)
    text = str(caught.value)
    for part in ("3 entries for a student of 2 layers", "9: the teacher's layers", "must increase"):
        assert part in text


def test_a_student_deeper_than_its_teacher_is_refused_with_the_fix():
    with pytest.raises(ModelError, match=r"student\.num_hidden_layers to at most 4"):
        resolve_layer_map("uniform", 6, 4)


def test_an_unknown_map_comes_with_the_nearest():
    with pytest.raises(RecipeError, match="did you mean 'uniform'"):
        resolve_layer_map("unifrom", 2, 6)
