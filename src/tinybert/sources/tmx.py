"""Translation memories (TMX): one row a translation unit, a column for each language."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast
from xml.sax.handler import ContentHandler

from tinybert.errors import DataError
from tinybert.sources.encoding import SourceFile
from tinybert.sources.text_files import Fault, RawRow

if TYPE_CHECKING:
    from xml.sax.xmlreader import AttributesImpl

CHUNK_BYTES = 1 << 16


class Units(ContentHandler):
    """Collects the translation units that the parser has read.

    Attributes:
        done: Rows and faults that nobody has taken yet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.done: list[RawRow | Fault] = []
        self._number = 0
        self._root = ""
        self._why = ""
        self._texts: dict[str, str] = {}
        self._language = ""
        self._segment: list[str] | None = None

    def startElement(self, name: str, attrs: AttributesImpl[str]) -> None:  # noqa: N802 (the parser's)
        """Begin a unit, a variant or a segment."""
        name = name.lower()
        self._root = self._root or name
        if self._root != "tmx":
            raise NotTmxError(name)
        if name == "tu":
            self._number += 1
            self._texts, self._why = {}, ""
        elif name == "tuv":
            self._begin_variant((attrs.get("xml:lang") or attrs.get("lang") or "").strip())
        elif name == "seg":
            self._segment = []

    def _begin_variant(self, code: str) -> None:
        self._language = code.replace("_", "-").partition("-")[0].lower()
        if not code:
            self._why = "a <tuv> without its language; give it xml:lang, such as en"
        elif self._language in self._texts:
            self._why = f"two texts in {self._language} ({code} is read as {self._language}); keep one"
        else:
            self._texts[self._language] = ""

    def characters(self, content: str) -> None:
        """Keep the text of a segment, that of the tags in it too."""
        if self._segment is not None:
            self._segment.append(content)

    def endElement(self, name: str) -> None:  # noqa: N802 (the parser's)
        """End a segment or a unit."""
        name = name.lower()
        if name == "seg" and self._segment is not None:
            if not self._why:
                self._texts[self._language] = "".join(self._segment).strip()
            self._segment = None
        elif name == "tu":
            why = self._why or (
                "" if self._texts else "no <tuv> in this <tu>; give it its texts, or remove it"
            )
            self.done.append(Fault(self._number, why, self._texts) if why else (self._number, self._texts))


class NotTmxError(ValueError):
    """The file begins with another tag than ``<tmx>``."""


def read_tmx(file: SourceFile) -> Iterator[RawRow | Fault]:
    """Yield ``{language: text}`` of each translation unit, numbered from 1, holding few of them in memory.

    A language is called by its first part: ``en`` for ``en-US``. The text of tags within a segment is joined.

    Raises:
        DataError: The file is no XML, or broken from some line on; or declares entities, which are not read.
    """
    from defusedxml.expatreader import create_parser

    units = Units()
    parser = cast(Any, create_parser(forbid_external=False))  # the DTD that is named is not fetched
    parser.setContentHandler(units)
    with file.path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            _parse(file, lambda part=chunk: parser.feed(part))
            yield from units.done
            units.done.clear()
    _parse(file, parser.close)
    yield from units.done


def _parse(file: SourceFile, parse: Callable[[], None]) -> None:
    """Parse some bytes.

    Raises:
        DataError: They are no TMX.
    """
    from xml.sax import SAXParseException

    from defusedxml import DefusedXmlException

    try:
        parse()
    except SAXParseException as error:
        line, column = error.getLineNumber() or 1, (error.getColumnNumber() or 0) + 1
        why = f"line {line:,}, column {column:,}: not valid XML ({error.getMessage()}); mend it there"
        raise DataError(file.name, why) from error
    except NotTmxError as error:
        raise DataError(file.name, f"begins with <{error}>, not with <tmx>: it is no TMX") from error
    except DefusedXmlException as error:
        raise DataError(
            file.name, "declares entities of its own, which are not read; write what they stand for"
        ) from error
    except (ValueError, LookupError) as error:
        raise DataError(file.name, f"cannot read this XML ({error}); write it in UTF-8") from error
