"""``lanes`` shows where the ingress and every lane stand, once or again and again."""

from __future__ import annotations

import os
import time
from typing import Annotated, Any

import anyio
import msgspec
import typer

from tapeline.cli.process import stream_address
from tapeline.cli.settings import ConfigOption, JsonOption, load_settings


def add_to(app: typer.Typer) -> None:
    """Add the verb ``lanes``."""
    app.command()(lanes)


def lanes(
    address: Annotated[str, typer.Option(help="Stream server; that of the node by default.")] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every second, until Ctrl-C.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show owner, lag, rate and dead letters of the ingress and of every lane."""
    from tapeline.streams.letters import stream_progress

    settings = load_settings(config).config
    where = address or stream_address(settings, os.environ)
    now = anyio.run(stream_progress, where)
    if as_json:
        told: dict[str, Any] = {"ingress": now[0], "lanes": now[1]}
        typer.echo(msgspec.json.encode(told).decode())
        return
    from rich.console import Console
    from rich.live import Live

    if not watch:
        Console().print(_table(now, None, 1.0))
        return
    with Live(_table(now, None, 1.0), auto_refresh=False) as screen:
        while True:
            before, at_s = now, time.monotonic()
            time.sleep(1.0)
            now = anyio.run(stream_progress, where)
            screen.update(_table(now, before, time.monotonic() - at_s), refresh=True)


def _table(now: Any, before: Any, seconds: float) -> Any:
    from rich.table import Table

    table = Table("stream", "owner", "waiting", "kept", "per second", "dead", "applied")
    parts = [("ingress", now[0], before[0] if before else None)]
    parts += [(str(lane.lane), lane, before[1][i] if before else None) for i, lane in enumerate(now[1])]
    for name, here, then in parts:
        done = (then.lag - here.lag + _added(here, then)) / seconds if then else float("nan")
        rate = f"{done:,.0f}" if done == done else "-"
        owner, counts = here.owner or "nobody", (str(here.lag), str(here.length), rate, str(here.dead))
        table.add_row(name, owner, *counts, here.applied_id)
    return table


def _added(here: Any, then: Any) -> int:
    """Return the entries that came in between, as far as the lengths tell."""
    return max(int(here.length - then.length), 0)
