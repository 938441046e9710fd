"""The XML of transcripts.

In: bytes.  Out: what is said, as one line of text.
Refuses documents with a type declaration, deep nesting and anything but a transcript; cuts what is too long.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from xml.parsers import expat

from tapeline.core.errors import BadMessage
from tapeline.feed.vendors.google_news import clean_text

MAX_DEPTH = 16
MAX_TRANSCRIPT = 100_000
"""Characters of one transcript, an hour and a half of speech."""


@dataclass(slots=True)
class _Reader:
    """Collects the text of transcript/text; everything else passes by."""

    path: list[str] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    is_transcript: bool = False

    def refuse(self, *_declaration: object) -> None:
        raise BadMessage("it declares a document type or an entity, which no transcript needs")

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self.path.append(name)
        if len(self.path) > MAX_DEPTH:
            raise BadMessage(f"its elements are nested deeper than {MAX_DEPTH}")
        self.is_transcript = self.is_transcript or self.path == ["transcript"]
        if name == "text":
            self.text(" ")

    def end(self, _name: str) -> None:
        self.path.pop()

    def text(self, text: str) -> None:
        if self.path[:2] == ["transcript", "text"] and self.length < MAX_TRANSCRIPT:
            self.pieces.append(text[: MAX_TRANSCRIPT - self.length])
            self.length += len(text)


def parse_timedtext(body: bytes) -> str:
    """Return the words of a transcript, cleaned, on one line.

    Raises
    ------
    BadMessage
        When it is no XML, declares a document type, is nested without reason, or is no transcript or an empty one.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise BadMessage(f"no XML: {error}") from None
    if not reader.is_transcript:
        raise BadMessage("XML, but no transcript")
    # Speech is escaped twice: once for XML, once for the page it was made for.
    return clean_text(html.unescape("".join(reader.pieces)), MAX_TRANSCRIPT)
