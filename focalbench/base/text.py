"""Text from outside as it is shown: names of files, columns and classes, and the values of others' results.

Such a text may hold what a terminal, a Markdown or a LaTeX reader would obey: it passes through here before it is
printed, written into a table or drawn. CSV and JSON hold texts as they are.
"""

import re

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
