"""Each odd input is read as it should be, or refused with a message; the doctor sees it before training."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests import easy, tokens
from tests.odd import (
    odd_calls,
    odd_checkpoints,
    odd_commands,
    odd_encodings,
    odd_entities,
    odd_files,
    odd_labels,
    odd_machine,
    odd_questions,
    odd_summaries,
    odd_texts,
)
from tests.odd.odd_input import Odd, Refused, Scene

from tinybert.errors import TinyBertError

TABLE: list[Odd] = [
    *odd_labels.TABLE,
    *odd_encodings.TABLE,
    *odd_files.TABLE,
    *odd_entities.TABLE,
    *odd_questions.TABLE,
    *odd_summaries.TABLE,
    *odd_texts.TABLE,
    *odd_checkpoints.TABLE,
    *odd_calls.TABLE,
    *odd_commands.TABLE,
    *odd_machine.TABLE,
]
PUBLIC = re.compile(r"[\w.-]+/[\w.-]+#\d+")


@pytest.fixture(scope="session")
def odd_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder that knows the words of entities and questions too."""
    return easy.save_encoder(tmp_path_factory.mktemp("odd_encoder"), words=tokens.WORDS)


def outcome(odd: Odd, scene: Scene) -> tuple[object, object]:
    """Return the exit code, and what the call returned or said."""
    try:
        return 0, odd.call(scene, odd.make(scene))
    except SystemExit as stop:
        return stop.code or 0, ""
    except TinyBertError as error:  # what a command prints before it exits with 2
        return 2, str(error)


@pytest.mark.parametrize("odd", TABLE, ids=[odd.name for odd in TABLE])
def test_an_odd_input_is_read_rightly_or_refused(
    odd: Odd,
    tmp_path: Path,
    tiny_teacher: Path,
    odd_encoder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tinybert.stages.doctor.examination.CHECKS_OF_MODELS", {})  # they judge no input
    code, found = outcome(odd, Scene(tmp_path, tiny_teacher, odd_encoder))
    captured = capsys.readouterr()
    printed = captured.out + captured.err
    assert "Traceback" not in printed
    if isinstance(odd.right, Refused):
        assert code == 2, printed
        assert odd.right.message in f"{printed}{found}"
    else:
        assert code == 0, printed + str(found)
        assert found == odd.right
    assert odd.said in printed


def test_the_table_is_as_large_as_it_says() -> None:
    names = [odd.name for odd in TABLE]
    assert len(names) >= 80
    assert len(set(names)) == len(names)
    public = {odd.source for odd in TABLE if PUBLIC.fullmatch(odd.source)}
    assert len(public) >= 20
    assert {odd.source for odd in TABLE} - public <= {"docs"}
