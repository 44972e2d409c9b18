"""Which fonts letters are drawn with: matplotlib's own, then others by name where they are installed.

A letter that none of them has is written as its escape, so that it can be told apart from others and is never a box.
"""

import logging
from functools import cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager, get_font
from matplotlib.text import Text

# a font of one weight only is as good; matplotlib says so each time it is drawn with
logging.getLogger("matplotlib.font_manager").addFilter(lambda record: "font weight" not in record.getMessage())

OWN = "DejaVu Sans"  # comes with matplotlib
# for letters that it lacks: Chinese, Japanese, Korean, South and South-East Asian scripts, symbols and emoji
FALLBACK = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR"),
    *("Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback"),
    *("PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic"),
    *("Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Tamil", "Noto Sans Thai", "Nirmala UI", "Leelawadee UI"),
    *("Noto Sans Symbols", "Noto Sans Symbols 2", "Noto Emoji", "Segoe UI Symbol", "Segoe UI Emoji", "Symbola"),
    *("Arial Unicode MS", "Unifont"),
)


def families(names: tuple[str, ...] = FALLBACK) -> list[str]:
    """The names of the fonts that there are, in the order in which a letter is looked for."""
    installed = {each.name for each in fontManager.ttflist}
    return [OWN, *(name for name in names if name in installed)]


def shown(text: str) -> str:
    """A text of others on one line: what is no letter, or a letter that no font here has, as its escape."""
    return "".join(c if c.isprintable() and ord(c) in _letters() else _escape(c) for c in text)


def _escape(letter: str) -> str:
    """As Python writes it, such as \\u540d."""
    escaped = letter.encode("unicode_escape").decode()
    return escaped if escaped != letter else f"\\x{ord(letter):02x}"


@cache
def _letters() -> frozenset[int]:
    """The code points that one of the fonts draws."""
    return frozenset(code for name in families() for code in _letters_of(name))


def _letters_of(family: str) -> set[int]:
    try:
        return set(get_font(fontManager.findfont(FontProperties(family=family))).get_charmap())
    except (OSError, RuntimeError):  # a damaged file, or of a kind that matplotlib cannot draw
        return set()


def use_fonts(fig: Figure) -> None:
    """Let every text of a figure, the names along its axes too, be drawn with all of the fonts."""
    names = families()
    for text in fig.findobj(Text):
        assert isinstance(text, Text)
        text.set_fontfamily(names)
    for ax in fig.axes:
        ax.tick_params(labelfontfamily=names)
