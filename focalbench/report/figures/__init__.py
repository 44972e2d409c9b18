"""The pictures of a results folder, a file a kind; drawing.py names and writes them."""

from focalbench.report.figures.cell import OfCell
from focalbench.report.figures.drawing import (
    DRAWN,
    check_names,
    draw_results,
    drawn_cells,
    first_picture,
    of_folder,
    picture,
    picture_place,
)
from focalbench.report.figures.forest import forest, mark_name

__all__ = [
    "DRAWN",
    "OfCell",
    "check_names",
    "draw_results",
    "drawn_cells",
    "first_picture",
    "forest",
    "mark_name",
    "of_folder",
    "picture",
    "picture_place",
]
