import pytest
from transformers import BertConfig

from tinybert.errors import ModelError
from tinybert.models.head import set_head
from tinybert.tasks import BUILTIN, task_of_config


@pytest.mark.parametrize("name", [name for name, task in BUILTIN.items() if task.matches is not None])
def test_a_saved_head_and_problem_type_name_the_task(name):
    config = BertConfig(problem_type=BUILTIN[name].problem_type)
    set_head(config, BUILTIN[name].head)
    assert task_of_config(config).name == name


@pytest.mark.parametrize("name", BUILTIN)
def test_a_note_names_any_task(name):
    config = BertConfig(tinybert={"task": name})
    set_head(config, BUILTIN[name].head)
    assert task_of_config(config) is BUILTIN[name]


def test_a_note_of_a_task_of_ones_own_is_no_leave_to_run_its_code():
    with pytest.raises(ModelError, match="to run that: --task os:system"):
        task_of_config(BertConfig(tinybert={"task": "os:system"}))


@pytest.mark.parametrize(
    ("num_labels", "name"), [(1, "regression"), (2, "classification"), (7, "classification")]
)
def test_without_one_the_number_of_outputs_decides(num_labels, name):
    assert task_of_config(BertConfig(num_labels=num_labels)).name == name


def test_another_problem_type_is_refused():
    config = BertConfig()
    config.__dict__["problem_type"] = "ranking"
    with pytest.raises(
        ModelError, match=r"problem_type = 'ranking'; allowed: single_label_classification, .*regression"
    ):
        task_of_config(config)
