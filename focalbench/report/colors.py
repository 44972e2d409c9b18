"""The colours of figures on a light page, and the same on a dark one."""

import colorsys
import re
from dataclasses import dataclass

from matplotlib.colors import to_hex, to_rgb

AA = 4.5  # the contrast that texts need (WCAG 2.2)
STEPS, SHADES = 40, 400  # tried between two colours, and of a hue
ROLES = ("page", "ink", "muted", "vermillion", "blue")
Rgb = tuple[float, float, float]
BLACK, WHITE = "#000000", "#ffffff"
_VARIABLE = re.compile(r"var\(--_([0-9a-f]{6}),")
_PAINT = re.compile(r"(?<=fill: |roke: )#[0-9a-f]{6}\b")  # in the style of an element of an SVG


@dataclass(frozen=True)
class Palette:
    """Colours by what they are for, that are distinct with every kind of colour vision (Okabe and Ito)."""

    name: str
    page: str
    ink: str
    muted: str
    vermillion: str
    blue: str


LIGHT = Palette("light", WHITE, "#1a1a1a", "#6b6b6b", "#d55e00", "#0072b2")
DARK = Palette("dark", "#16191d", "#e6e6e6", "#a3a7ab", "#ff8a3d", "#5ab4f0")


def contrast(one: str, other: str) -> float:
    """Between two colours, 1 to 21, as WCAG 2.2 has it.

    >>> round(contrast("#ffffff", "#000000")), contrast("#0072b2", "#ffffff") > 4.5
    (21, True)
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: str) -> float:
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in to_rgb(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def readable(color: str, page: str = WHITE) -> str:
    """A line's colour for a text beside it: darkened, or lightened on a dark page, as far as texts need.

    >>> readable("#0072b2"), contrast(readable("#d55e00"), "#ffffff") >= 4.5
    ('#0072b2', True)
    """
    end = to_rgb(BLACK if contrast(page, BLACK) > contrast(page, WHITE) else WHITE)
    mixed = (to_hex(_between(to_rgb(color), end, step / STEPS)) for step in range(STEPS + 1))
    return next(each for each in mixed if contrast(each, page) >= AA)


def _between(one: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = ((1 - share) * own + share * far for own, far in zip(one, other, strict=True))
    return red, green, blue


def turned(color: str, palette: Palette) -> str:
    """A colour of the light palette in another one; any other of the same hue, as far from the page as it was from
    white.
    """
    named = {getattr(LIGHT, role): str(getattr(palette, role)) for role in ROLES} | {BLACK: palette.ink}
    named |= {readable(own): named[own] for own in (LIGHT.vermillion, LIGHT.blue)}
    return named[color] if color in named else _as_far(color, palette.page)


def _as_far(color: str, page: str) -> str:
    """Of a colour's hue, that which is as far from a dark page as it is from white."""
    wanted = contrast(color, WHITE)
    hue, _, rich = colorsys.rgb_to_hls(*to_rgb(color))
    found = (to_hex(colorsys.hls_to_rgb(hue, step / SHADES, rich)) for step in range(SHADES + 1))
    return min(found, key=lambda each: abs((_luminance(each) + 0.05) - wanted * (_luminance(page) + 0.05)))


def with_variables(svg: str) -> str:
    """The text of a light figure whose colours a page may set anew: as CSS variables that are these unless said
    otherwise.

    >>> with_variables("stroke: #d55e00; stroke-width: 2")
    'stroke: var(--_d55e00, #d55e00); stroke-width: 2'
    """
    return _PAINT.sub(lambda found: f"var(--_{found.group()[1:]}, {found.group()})", svg)


def variables_in(text: str, palette: Palette) -> dict[str, str]:
    """The colours of another palette for the variables in a text, by the name of each."""
    names = sorted(set(_VARIABLE.findall(text)))
    return {f"--_{name}": turned(f"#{name}", palette) for name in names}


def repainted(svg: str, palette: Palette) -> str:
    """The text of a light figure in another palette."""
    if palette == LIGHT:
        return svg
    painted = _PAINT.sub(lambda found: turned(found.group(), palette), svg)
    return painted.replace("<svg ", f'<svg fill="{palette.ink}" ', 1)  # of what names no colour, which is black
