"""HTML as paragraphs: what it says, without its looks.

Nothing is fetched, run or styled. Colours, columns and pictures of a mail do not survive one bit a dot; a browser's
engine would be the largest door of all into the gateway, for little that can be seen at the other end.
"""

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser

from gateway.documents.layout import MONO, PLAIN, Block

#: What is in these is not shown.
_HIDDEN = frozenset({"script", "style", "head", "title", "template", "noscript", "svg", "math", "object", "select"})
#: Elements without an end.
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
#: What may be in a head; anything else ends it, for its own end may be left out.
_OF_HEAD = frozenset({"head", "title", "style", "script", "noscript", "template"}) | _VOID
#: Digits and signs that are written high or low: 10 to the 6th is not 106.
_HIGH = str.maketrans("0123456789+-=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ")
_LOW = str.maketrans("0123456789+-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎")
#: Places where a word may be broken; they are not seen.
_UNSEEN_BREAKS = dict.fromkeys(map(ord, "\u200b\u00ad"))
#: Elements that the next of their kind ends.
_ENDED_BY_THE_NEXT = frozenset({"p", "li", "tr", "td", "th", "dt", "dd"})
#: A paragraph ends where these begin and end, and so much is white before it, in lines.
_BLOCKS = {
    **dict.fromkeys(("p", "ul", "ol", "dl", "table", "blockquote", "pre", "figure", "fieldset"), 0.5),
    **dict.fromkeys(("div", "li", "tr", "section", "article", "header", "footer", "center", "form", "body"), 0.0),
    **dict.fromkeys(("dt", "dd", "address", "main", "nav", "aside", "caption", "tbody", "thead", "figcaption"), 0.0),
    **dict.fromkeys(("details", "summary", "legend", "dialog", "menu"), 0.0),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), 0.7),
}
_HEADINGS = {"h1": 108, "h2": 92, "h3": 80, "h4": 72, "h5": PLAIN, "h6": PLAIN}
_INDENTED = {"ul": 0.3, "ol": 0.3, "dd": 0.3, "blockquote": 0.3}
_MOST_INDENT = 2.4
_LONGEST_NUMBER = 10
#: Elements within elements: deeper ones are taken as if they were not.
_DEEPEST = 2000
_UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(px|pt|em|%)?\s*(;|$)", re.I)


class _Reader(HTMLParser):
    """Collects blocks while it is fed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._open: list[tuple[str, bool]] = []  # elements, and whether they hide what is in them
        self._within: Counter[str] = Counter()  # how often each is open
        self._hidden = 0
        self._text = ""
        self._before = 0.0
        self._mark = ""
        self._counts: list[int | None] = []  # of the lists that are open; None counts nothing

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag in _VOID:
            self._void(tag, known)
            return
        if self._within["head"] and tag not in _OF_HEAD:
            self._close("head")
        hides = tag in _HIDDEN or "hidden" in known or bool(_UNSEEN.search(known.get("style") or ""))
        self._hidden += hides
        if tag in _BLOCKS:
            self._end_paragraph(_BLOCKS[tag])
        if self._open and tag == self._open[-1][0] and tag in _ENDED_BY_THE_NEXT:
            self._close(tag)
        if len(self._open) < _DEEPEST:
            self._open.append((tag, hides))
            self._within[tag] += 1
        else:
            self._hidden -= hides
        self._begin(tag, known)

    def _begin(self, tag: str, known: dict[str, str | None]) -> None:
        if tag in {"ul", "ol"}:
            self._counts.append(_number(known.get("start"), 1) - 1 if tag == "ol" else None)
        elif tag == "li":
            last = self._counts[-1] if self._counts else None
            if last is None:
                self._mark = "•"
            else:
                self._counts[-1] = _number(known.get("value"), last + 1)
                self._mark = f"{self._counts[-1]}."
        elif tag in {"td", "th"} and self._text.strip():
            self._text = self._text.rstrip() + "   "

    def _void(self, tag: str, known: dict[str, str | None]) -> None:
        if self._hidden:
            return
        if tag == "br":
            self._text = self._text.rstrip(" ") + "\n"
        elif tag == "hr":
            self._end_paragraph(0.0)
            self.blocks.append(Block("", rule=True))
        elif tag == "img" and (known.get("alt") or "").strip():
            self._text += f"[{(known.get('alt') or '').strip()}]"

    def handle_endtag(self, tag: str) -> None:
        if not self._within[tag]:
            # Browsers take the end of what is not open for a break, where it is one of these.
            if tag == "br":
                self._void(tag, {})
            elif tag == "p" and not self._hidden:
                self._end_paragraph(_BLOCKS[tag])
            return
        if tag in _BLOCKS:
            self._end_paragraph(_BLOCKS[tag])
        self._close(tag)

    def _close(self, tag: str) -> None:
        """Close the innermost *tag* and what is still open in it."""
        while self._open:
            closed, hid = self._open.pop()
            self._within[closed] -= 1
            self._hidden -= hid
            if closed in {"ul", "ol"} and self._counts:
                self._counts.pop()
            if closed == tag:
                break

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._within["sup"] or self._within["sub"]:
            data = _moved(data, _HIGH if self._within["sup"] else _LOW)
        if self._within["pre"]:
            self._text += data
            return
        words = re.sub(r"[ \t\r\n\f]+", " ", data.translate(_UNSEEN_BREAKS))
        if words.startswith(" ") and (not self._text or self._text[-1] in " \n"):
            words = words[1:]
        self._text += words

    def _end_paragraph(self, before: float) -> None:
        pre = self._within["pre"] > 0
        text, self._text = self._text.strip("\n" if pre else None), ""
        if text.strip():
            size = next((size for tag, size in _HEADINGS.items() if self._within[tag]), MONO if pre else PLAIN)
            indent = min(sum(each * self._within[tag] for tag, each in _INDENTED.items()), _MOST_INDENT)
            self.blocks.append(Block(text, size, pre, indent, self._before, self._mark))
            self._before, self._mark = 0.0, ""
        self._before = max(self._before, before)

    def finish(self) -> list[Block]:
        """Return everything that was read."""
        self.close()
        self._open = [each for each in self._open if not each[1]]
        self._end_paragraph(0.0)
        return self.blocks


def _moved(words: str, places: dict[int, int]) -> str:
    """Return *words* high or low, unless letters are among them that cannot be: the 2nd is no power."""
    return words.translate(places) if all(ord(char) in places for char in words.strip()) else words


def _number(told: str | None, default: int) -> int:
    """Return the number that an attribute says, *default* where it says none that a list can begin with."""
    told = (told or "").strip()
    return int(told) if told.isascii() and told.isdecimal() and len(told) < _LONGEST_NUMBER else default


def html_blocks(text: str) -> Iterator[Block]:
    """Return the paragraphs of a page of HTML."""
    reader = _Reader()
    reader.feed(text)
    yield from reader.finish()
