"""The speed of others over ours as a figure."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backend_bases import RendererBase
from matplotlib.text import Text

from focalbench.base.rows import rows_text
from focalbench.bench.figure import bench_folders, peers_of, speed
from focalbench.bench.rows import Row
from focalbench.errors import InputError
from focalbench.report.owned import finish_more, write_texts
from tests.support.attempts import typed

BENCH = Path(__file__).parents[2] / "results" / "bench"


def survey(folder: Path, *ratios: float | None) -> Path:
    folder.mkdir(parents=True)
    rows = [Row("training: small (ms)", "focalbench", "1", 1.0, 1.0, 1.0, 1.0)]
    rows += [Row("training: small (ms)", f"peer {k}", "2", 1.0, 1.0, 1.0, ratio) for k, ratio in enumerate(ratios)]
    write_texts(folder, {"bench.csv": rows_text(Row, rows)})
    finish_more(folder, ["bench.csv"])
    return folder


def test_ratios_of_several_surveys_stand_beside_their_median(tmp_path: Path) -> None:
    folders = [survey(tmp_path / "a", 3.0, None), survey(tmp_path / "b", 5.0, 0.5), survey(tmp_path / "c", 4.0)]
    peers = peers_of(bench_folders(tmp_path))
    assert bench_folders(tmp_path) == folders
    assert [(peer.name, peer.ratios) for peer in peers] == [("peer 0 (2)", (3.0, 5.0, 4.0)), ("peer 1 (2)", (0.5,))]
    fig = speed(folders)
    dots = [float(np.asarray(line.get_xdata())[0]) for line in fig.axes[0].lines if line.get_marker() == "o"]
    assert dots == [0.5, 4.0]
    said = {text.get_text() for text in fig.findobj(Text)}
    assert {"4", "0.5", "peer 0 (2)", "training: small"} <= {each.removesuffix(".0") for each in said}


def test_texts_of_the_committed_surveys_are_whole_and_apart() -> None:
    fig = speed(bench_folders(BENCH))
    shown: list[Text] = []
    plain: Callable[[Text, RendererBase], None] = Text.draw

    def watch(text: Text, renderer: RendererBase) -> None:
        shown.extend([text] if text.get_text() and text.get_visible() else [])
        plain(text, renderer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", watch)
        fig.draw_without_rendering()
    boxes = [text.get_window_extent() for text in shown]
    assert len(boxes) > 40
    assert not any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[k + 1 :])
    assert all(fig.bbox.x0 <= box.x0 and box.x1 <= fig.bbox.x1 for box in boxes)
    names = [label.get_text() for label in fig.axes[0].get_yticklabels()]
    peers = peers_of(bench_folders(BENCH))
    assert len(set(names)) == len(
        {peer.name for peer in peers} | {peer.part for peer in peers}
    )  # none reads as another


def test_it_is_drawn_by_the_command(tmp_path: Path) -> None:
    survey(tmp_path / "o" / "1", 3.0)
    assert typed(["plot", "o", "--format", "svg"], tmp_path).code == 0
    assert (tmp_path / "o" / "figures" / "speed.svg").is_file()
    wrong = typed(["plot", "o", "gamma"], tmp_path)
    assert wrong.code == 2
    assert "choose speed" in wrong.stderr


def test_times_without_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no times of others"):
        speed([survey(tmp_path / "a")])
