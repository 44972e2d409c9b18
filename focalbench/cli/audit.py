"""`focalbench audit`: how right, fast and light are the focal losses installed here?"""

from __future__ import annotations

from typing import Annotated

import typer

from focalbench.cli.options import FormatOption
from focalbench.cli.render import show_page
from focalbench.errors import MOVED


def audit(
    format: FormatOption = "rich",  # noqa: A002
    no_speed: Annotated[bool, typer.Option("--no-speed", help="Leave time and memory out.", metavar="")] = False,
) -> None:
    """Check every focal loss installed here against 50-digit values; exit code 1 if ours fails anywhere."""
    from focalbench.audit import audit as run_audit
    from focalbench.audit.report import audit_page

    found = run_audit(speed=not no_speed)
    show_page(audit_page(found), format)
    if not found.ours_is_right:
        raise typer.Exit(MOVED)
