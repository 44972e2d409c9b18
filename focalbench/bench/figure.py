"""The speed of others over ours, drawn from the bench.csv of one folder or of several."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from focalbench.base.rows import read_rows
from focalbench.bench.rows import OURS, Row
from focalbench.errors import InputError
from focalbench.report import style
from focalbench.report.colors import readable
from focalbench.report.folder import check_unchanged

TIMES, SPEED = "bench.csv", "speed"  # what is read, and what the figure is called
WIDTH, LINE, NAME_ROOM = 6.8, 0.19, 3.4  # inches
MARGIN = 1.5  # factor beside the lowest and the highest ratio


@dataclass(frozen=True)
class Peer:
    """Another way to do the same: its time over ours, once for each folder."""

    part: str
    name: str
    ratios: tuple[float, ...]


def bench_folders(folder: Path) -> list[Path]:
    """The folders with times at a path: itself, or those in it; none where there are none."""
    if (folder / TIMES).is_file():
        return [folder]
    return sorted(path.parent for path in folder.glob(f"*/{TIMES}"))


def peers_of(folders: Sequence[Path]) -> list[Peer]:
    """Others that were timed round by round beside ours, in the order of the first folder that has them."""
    found: dict[tuple[str, str], list[float]] = {}
    for folder in folders:
        check_unchanged(folder, [TIMES])
        for row in read_rows(folder / TIMES, Row):
            if row.ratio is not None and not row.name.startswith(OURS):
                found.setdefault((row.part, _name(row)), []).append(row.ratio)
    parts = list(dict.fromkeys(part for part, _ in found))
    peers = [Peer(*where, tuple(ratios)) for where, ratios in found.items()]
    return sorted(peers, key=lambda peer: parts.index(peer.part))


def _name(row: Row) -> str:
    return f"{row.name} ({row.threads})"


def speed(folders: Sequence[Path]) -> Figure:
    """A row a peer, by what is done. Raises InputError where nothing was timed beside ours."""
    peers = peers_of(folders)
    if not peers:
        raise InputError(f"{folders[0] / TIMES} holds no times of others beside ours; time them with focalbench bench")
    lines = _lines(peers)
    fig, (ax,) = style.figure(WIDTH, 1.2 + LINE * len(lines))
    ratios = [ratio for peer in peers for ratio in peer.ratios]
    ax.set(xscale="log", xlim=(min(1, *ratios) / MARGIN, max(1, *ratios) * MARGIN), ylim=(-0.7, len(lines) - 0.3))
    ax.axvline(1, color=style.MUTED, linewidth=0.8, zorder=0)
    for y, line in enumerate(reversed(lines)):
        if isinstance(line, Peer):
            _draw(ax, y, line)
    names = [style.fitted(line.name if isinstance(line, Peer) else line, NAME_ROOM) for line in reversed(lines)]
    ax.set_yticks(range(len(lines)), names, parse_math=False)
    for label, line in zip(ax.get_yticklabels(), reversed(lines), strict=True):
        label.set_color(style.MUTED if isinstance(line, Peer) else style.INK)
    ax.tick_params(axis="y", length=0)
    style.times(ax.xaxis)
    fig.supxlabel(_caption(len(folders)), fontsize=style.TEXT_SIZE + 1)
    style.heading(fig, "Time of others over that of focalbench", " on one thread")
    return fig


def _lines(peers: Sequence[Peer]) -> list[Peer | str]:
    """Peers under what they do, the unit apart."""
    lines: list[Peer | str] = []
    for part, own in groupby(peers, key=lambda peer: peer.part):
        lines += [part.rpartition(" (")[0] or part, *own]
    return lines


def _draw(ax: Axes, y: float, peer: Peer) -> None:
    """Every folder's ratio, their median and its number."""
    middle = median(peer.ratios)
    color = style.BLUE if middle >= 1 else style.VERMILLION
    ax.plot(peer.ratios, [y] * len(peer.ratios), "|", color=style.MUTED, markersize=5, zorder=1)
    ax.plot(middle, y, "o", color=color, markersize=4)
    text = f"{middle:.2g}" if middle < 10 else f"{middle:.0f}"
    place = ax.get_yaxis_transform()
    ax.text(1.02, y, text, transform=place, va="center", color=readable(color), size=style.TEXT_SIZE)


def _caption(folders: int) -> str:
    several = "; ticks: surveys, dot and number: their median" if folders > 1 else ""
    return f"times as long; left of 1: faster than focalbench{several}\nin brackets: threads (own: as it likes)"
