"""How fast this tool is here, against other ways to do the same and against the machine's limit."""

from focalbench.bench.rows import Goal, Row, Scale
from focalbench.bench.survey import PARTS, REMEDY, Survey, survey

__all__ = ["PARTS", "REMEDY", "Goal", "Row", "Scale", "Survey", "survey"]
