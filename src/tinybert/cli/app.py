"""The table of commands, and what happens to an error.

Heavy imports happen inside the commands: ``tinybert --help`` is printed at once.
"""

from __future__ import annotations

import itertools
import re
import shlex
import sys
from collections.abc import Callable, Sequence

from cyclopts import App, CycloptsError

from tinybert.cli.augment import augment
from tinybert.cli.bench import bench
from tinybert.cli.chat import chat
from tinybert.cli.demo import demo
from tinybert.cli.distill import distill
from tinybert.cli.doctor import doctor
from tinybert.cli.evaluate import evaluate
from tinybert.cli.export import export
from tinybert.cli.fetch import fetch
from tinybert.cli.finetune import finetune
from tinybert.cli.predict import predict
from tinybert.cli.pretrain import pretrain
from tinybert.cli.run import run
from tinybert.cli.tokenizer import tokenizer
from tinybert.cli.trim import trim
from tinybert.console import has_no_reader, put_words, safe_streams
from tinybert.errors import TinyBertError

COMMANDS: dict[str, Callable[..., None]] = {
    "demo": demo,
    "fetch": fetch,
    "tokenizer": tokenizer,
    "trim": trim,
    "pretrain": pretrain,
    "augment": augment,
    "finetune": finetune,
    "distill": distill,
    "run": run,
    "evaluate": evaluate,
    "export": export,
    "predict": predict,
    "chat": chat,
    "bench": bench,
    "doctor": doctor,
}

OPTION = re.compile(r"--?[A-Za-z][\w-]*(=.*)?|-?[\d.]*", re.DOTALL)
"""What may be meant as an option, or is a number, which is none."""
HELP = """Distil any BERT into a small fast one.

Settings of a recipe are written key.path=value after the options, for example train.num_epochs=3
train.learning_rate=5e-5. Add --debug to any command to see the traceback of an error."""


def make_app() -> App:
    """Return the command-line application."""
    from tinybert import __version__

    app = App(
        name="tinybert",
        help=HELP,
        version=__version__,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for name, command in COMMANDS.items():
        app.command(command, name=name)
    return app


def dash_hint(words: Sequence[str]) -> str:
    """Say how a text to predict that begins with a dash is given, where one was taken for an option.

    Example:
        >>> dash_hint(["predict", "RUN", "-5 degrees"]).partition(":")[2]
        " -- '-5 degrees'; as the value of an option: --text-pair='-5 degrees'"
        >>> dash_hint(["predict", "RUN", "--jsn"]), dash_hint(["predict", "RUN", "--", "-5 degrees"])
        ('', '')
    """
    if words[:1] != ["predict"]:
        return ""
    options = itertools.takewhile(lambda word: word != "--", words)
    texts = [word for word in options if word.startswith("-") and not OPTION.fullmatch(word)]
    if not texts:
        return ""
    text = shlex.quote(texts[0])
    behind = "a text that begins with a dash goes to the end, behind two dashes"
    return f"{behind}: -- {text}; as the value of an option: --text-pair={text}"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; a user's mistake exits with 2 and no traceback."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    with safe_streams():
        try:
            make_app()(words, exit_on_error=False, print_error=True)
            sys.stdout.flush()
        except CycloptsError:
            if hint := dash_hint(words):
                put_words(hint)
            sys.exit(2)
        except TinyBertError as error:
            if debug:
                raise
            put_words(f"error: {error}")
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            put_words("\nstopped; give the same command again to resume")
            sys.exit(130)
        except OSError as error:
            if isinstance(error, BrokenPipeError) and has_no_reader(sys.stdout):
                sys.exit(0)
            if debug:
                raise
            where = f"{error.filename}: " if error.filename else ""
            put_words(f"error: {where}{error.strerror or error}")
            sys.exit(2)
