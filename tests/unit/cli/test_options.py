"""Options and overrides of one command line."""

from __future__ import annotations

import pytest

from tinybert.cli import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--no-baseline", "baseline=tfidf"],
            ["baseline=tfidf: baseline is given as an option or argument too"],
        ),
        (["--baseline", "baseline=false"], ["baseline=false: baseline is given"]),
        (
            ["--task", "ner", "task=qa", "--text", "a", "data.text=b", "data.path=c"],
            ["task=qa: task is", "data.text=b: data.text is", "data.path=c: data.path is", "3 problems"],
        ),
        (["--student", "4l-312d", "student.shape=2l-128d"], ["student.shape=2l-128d: student.shape is"]),
    ],
)
def test_a_setting_that_is_given_twice_is_refused(
    words: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["distill", "rows", "--teacher", "bundled:minilm", "--dry-run", *words])
    assert stopped.value.code == 2
    shown = capsys.readouterr().err
    for part in said:
        assert part in shown
