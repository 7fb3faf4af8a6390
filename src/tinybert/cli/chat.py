"""``tinybert chat``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tinybert.cli.options import Flag

if TYPE_CHECKING:
    from tinybert.inference.chat import Chat
    from tinybert.tasks import WrittenText

PROMPT = "> "
HELP = "/reset: forget all turns; /quit, Ctrl-D or Ctrl-C: end; /help: this"


def chat(
    run: str,
    *,
    history: int | None = None,
    max_new_tokens: int | None = None,
    sample: Annotated[Flag, Parameter(name=["--sample", "--do-sample"])] = False,
    temperature: float | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    backend: str = "auto",
    task: str | None = None,
    json: Flag = False,
) -> None:
    """Talk to a run that writes texts: it replies to each line, token by token.

    Without a terminal each line of standard input is a turn, and each reply a line.

    Args:
        run: Run, checkpoint or hub name, of task seq2seq.
        history: Turns before a line that are read with it, its own replies included; default: as many as it
            was trained with.
        max_new_tokens: Most tokens of a reply; what is longer is cut, and marked.
        sample: Draw each token at random; else the likeliest is taken.
        temperature: Of --sample; below 1: nearer to the likeliest.
        top_p: Of --sample: draw from the likeliest tokens whose probabilities add up to this.
        seed: Of --sample; the same seed and turns give the same replies.
        backend: auto (the export that is fastest here, or torch), torch, or another that was exported.
        task: package.module:attr, for a run of a task of your own; its code is run.
        json: Print JSON lines: turn, reply, num_tokens, is_finished, seconds.
    """
    from tinybert.errors import RecipeError
    from tinybert.inference import Predictor
    from tinybert.inference.chat import Chat
    from tinybert.stages.pipeline import quiet_libraries

    quiet_libraries()
    if history is not None and history < 0:
        raise RecipeError("chat", f"--history {history}: give 0 or more")
    given = {"max_new_tokens": max_new_tokens, "temperature": temperature, "top_p": top_p, "seed": seed}
    predictor = Predictor(run, backend=backend, task=task, generation={**given, "do_sample": sample})
    conversation = Chat(predictor, history=history)
    with suppress(KeyboardInterrupt):
        for line in _lines():
            if not _is_command(line, conversation):
                _reply(line, conversation, as_json=json)
        return
    print()


def _is_interactive() -> bool:
    from tinybert.console import is_terminal

    return is_terminal(sys.stdin) and is_terminal(sys.stdout)


def _lines() -> Iterator[str]:
    """Yield what is said, without empty lines, until ``/quit`` or the end of standard input."""
    from tinybert.console import warn
    from tinybert.language import SURROGATE

    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # a bad byte is one bad line, not the end
    for line in _typed() if _is_interactive() else sys.stdin:
        said = line.strip().lstrip("\ufeff").strip()
        if said == "/quit":
            return
        if SURROGATE.search(said):
            warn(f"a line is not {sys.stdin.encoding.upper()}, and has no reply: {said:.60}")
        elif said:
            yield said


def _typed() -> Iterator[str]:
    """Yield lines typed at a prompt, which can be edited where the system has readline."""
    with suppress(ImportError):
        import readline  # noqa: F401  # pyright: ignore[reportUnusedImport]
    print(HELP)
    while True:
        try:
            yield input(PROMPT)
        except EOFError:
            print()
            return


def _is_command(line: str, conversation: Chat) -> bool:
    """Do what a line with a slash says, where it does; an unknown one is told."""
    from tinybert.console import say
    from tinybert.lookup import nearest

    if not line.startswith("/") or " " in line:
        return False
    if line == "/reset":
        conversation.reset()
        say("all turns are forgotten")
    elif line == "/help":
        say(HELP)
    else:
        say(f"{line}: unknown{nearest(line, ['/reset', '/quit', '/help'])}; {HELP}")
    return True


def _reply(line: str, conversation: Chat, *, as_json: bool) -> None:
    """Print the reply to a line: as it is written, or as a line of JSON."""
    import time
    from json import dumps

    from tinybert.console import put_json_lines, warn

    predictor = conversation.predictor
    begun, truncated = time.perf_counter(), predictor.num_truncated
    written = _shown(line, conversation, is_shown=not as_json)
    if as_json:
        fields = {
            "turn": conversation.num_turns,
            "reply": written.text,
            "num_tokens": written.num_tokens,
            "is_finished": written.is_finished,
            "seconds": round(time.perf_counter() - begun, 3),
        }
        put_json_lines(dumps(fields, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    if predictor.num_truncated > truncated:
        warn(f"1 {predictor.task.format.truncation(predictor.max_length)}")


def _shown(line: str, conversation: Chat, *, is_shown: bool) -> WrittenText:
    """Return the reply to a line, and print its pieces, without the line ends in them, as they come."""
    from tinybert.legible import escaped

    def put(text: str) -> None:
        if is_shown:
            print(text, end="", flush=True)

    pieces = conversation.reply(line)
    while True:
        try:
            put(escaped(next(pieces)).replace("\n", "\\n"))
        except StopIteration as end:
            put(f"{end.value.mark}\n")
            return end.value
