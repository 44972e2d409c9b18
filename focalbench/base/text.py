"""Text from outside as it is shown: names of files, columns and classes, and the values of others' results.

Such a text may hold what a terminal, a Markdown or a LaTeX reader would obey: it passes through here before it is
printed, written into a table or drawn. CSV and JSON hold texts as they are.

A message names a setting in backticks, `rows` or `task=multiclass`: what a caller from Python and the author of an
experiment file know it as.
"""

import re
import shlex
from collections.abc import Callable, Iterable
from difflib import get_close_matches

# what Markdown reads as more than a letter; an underscore after a letter begins nothing, nor does a bracket by itself
_OF_MARKDOWN = re.compile(r"[\\`*<>|&~$@]|(?<![^\W_])_|(?<=\])[(\[:]|(?<=:)/(?=/)|(?<=\bwww)\.", re.IGNORECASE)
_OF_LATEX = {
    **{sign: f"\\{sign}" for sign in "%_&#${}"},
    "\\": r"\textbackslash ",
    "~": r"\textasciitilde ",
    "^": r"\textasciicircum ",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "±": r"$\pm$",
    "[": "{[}",  # after the end of a row it would open an argument
}


_SETTING = re.compile(r"(`+)([a-z_]+)(?:=(.*?))?\1(?!`)", re.DOTALL)


def setting(name: str, value: str) -> str:
    """A setting with a value from outside, as messages name it; the command line turns it into its option.

    >>> setting("positive", "a`b")
    '``positive=a`b``'
    """
    quote = "`" * (max((len(run) for run in re.findall("`+", value)), default=0) + 1)
    return f"{quote}{name}={value}{quote}"


def with_options(text: str, option: Callable[[str], str]) -> str:
    """A message with its settings as options of a command line. option: of a setting's name.

    >>> with_options("leave `drop` out, with `positive=not good`", "--{}".format)
    "leave --drop out, with --positive 'not good'"
    """

    def named(found: re.Match[str]) -> str:
        value = "" if found[3] is None else f" {shlex.quote(found[3])}"
        return option(found[2]) + value

    return _SETTING.sub(named, text)


def with_parameters(text: str, parameter: Callable[[str], str]) -> str:
    """A message with its settings as parameters of a function. parameter: of a setting's name.

    >>> with_parameters("give `positive=yes` or leave `group` out", {"positive": "positive", "group": "groups"}.get)
    "give positive='yes' or leave groups out"
    """

    def named(found: re.Match[str]) -> str:
        return parameter(found[2]) + ("" if found[3] is None else f"={found[3]!r}")

    return _SETTING.sub(named, text)


def near(name: str, names: Iterable[str], most: int = 3) -> list[str]:
    """The names that are this one but for their case, or else nearly so; the nearest come first.

    >>> near("Fruad", ["amount", "FRAUD", "fraud2"]), near("Fraud", ["fraud", "fraud2"])
    (['FRAUD', 'fraud2'], ['fraud'])
    """
    folded: dict[str, list[str]] = {}
    for each in names:
        folded.setdefault(each.casefold(), []).append(each)
    same = folded.get(name.casefold())
    return same or [each for found in get_close_matches(name.casefold(), folded, most) for each in folded[found]][:most]


def near_or(name: str, names: Iterable[str], otherwise: str) -> str:
    """A question for the names that are nearly this one; where there are none, what to say instead.

    >>> near_or("Focal", ["bce", "focal"], "choose one"), near_or("x", ["bce", "focal"], "choose one")
    ('did you mean focal?', 'choose one')
    """
    close = near(name, names)
    return f"did you mean {', '.join(close)}?" if close else otherwise


def shown(text: str) -> str:
    """A text as one line that no terminal obeys: what is not printable (control characters, line ends, marks that turn
    the direction of reading) is spelled out.

    >>> shown("a\\x1b[2Jb\\nc")
    'a\\\\x1b[2Jb\\\\nc'
    """
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def in_markdown(text: str) -> str:
    """A text as it is shown, for Markdown: no tag, link, emphasis, code or end of a cell.

    >>> in_markdown("<b>|[x](y)")
    '\\\\<b\\\\>\\\\|[x]\\\\(y)'
    """
    return _OF_MARKDOWN.sub(lambda sign: "\\" + sign[0], shown(text))


def in_latex(text: str) -> str:
    """A text as it is shown, for LaTeX.

    >>> in_latex("50%_x")
    '50\\\\%\\\\_x'
    """
    return "".join(_OF_LATEX.get(sign, sign) for sign in shown(text))


def in_figure(text: str) -> str:
    """A text as it is shown, for a figure: no formula.

    >>> in_figure("$x$")
    '\\\\$x\\\\$'
    """
    return shown(text).replace("$", r"\$")
