"""``lanes`` shows where the ingress and every lane stand, once or again and again, and changes how many there are."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import msgspec
import typer

from tapeline.cli.process import stream_address
from tapeline.cli.settings import ConfigOption, JsonOption, load_settings
from tapeline.core.config.load import load
from tapeline.core.errors import BadInput, Unavailable
from tapeline.core.home import default_home

if TYPE_CHECKING:
    from tapeline.streams.layout import Layout


def add_to(app: typer.Typer) -> None:
    """Add the verb ``lanes``."""
    app.command()(lanes)


def lanes(
    address: Annotated[str, typer.Option(help="Stream server; that of settings or node by default.")] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every second, until Ctrl-C.")] = False,
    number: Annotated[
        int | None,
        typer.Option("--set", min=1, max=1024, help="Change the number of lanes."),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show owner, lag, rate and dead letters of the ingress, where all ticks come in, and of the lanes it is spread
    over, each worked on by one worker; or change how many lanes there are.

    A change drains the lanes and splits their state anew. It works with a node that runs, which goes on by itself, and
    with one that is stopped. One that was killed half-way is ended by the same command.
    """
    from tapeline.streams.letters import stream_progress

    if watch and (as_json or number is not None):
        raise BadInput("--watch shows a table again and again: leave out --json and --set")
    if number is not None:
        _change(number, address, config, as_json=as_json)
        return
    settings = load_settings(config).config
    where = address or stream_address(settings, os.environ)
    now = anyio.run(stream_progress, where)
    if as_json:
        told: dict[str, Any] = {"ingress": now[0], "lanes": now[1]}
        typer.echo(msgspec.json.encode(told).decode())
        return
    from rich.console import Console, Group
    from rich.live import Live

    if not watch:
        Console().print(_table(now, None, 1.0))
        return
    with Live(_table(now, None, 1.0), auto_refresh=False) as screen:
        while True:
            before, at_s = now, time.monotonic()
            time.sleep(1.0)
            try:
                now = anyio.run(stream_progress, where)
            except Unavailable as error:  # it comes back, or another takes over; who watches ends it
                screen.update(Group(_table(before, None, 1.0), f"asked again: {error}"), refresh=True)
                continue
            screen.update(_table(now, before, time.monotonic() - at_s), refresh=True)


def _change(number: int, address: str, config: Path | None, *, as_json: bool) -> None:
    """Change the number of lanes, and tell what remains to do."""
    from tapeline.live.relane import change_lanes
    from tapeline.streams.embedded import embedded_valkey

    home, settings = default_home(os.environ), load_settings(config).config
    running = home.read_note() is not None and not (address or settings.streams.redis_url or config)
    if running:  # by what its workers go
        settings = load(home.settings_path, {}).config

    async def stopped() -> Layout:
        async with embedded_valkey(home.valkey_path) as server:
            return await change_lanes(str(server.socket_path), number, settings)

    if address or settings.streams.redis_url or home.read_note() is not None:
        layout = anyio.run(change_lanes, address or stream_address(settings, os.environ), number, settings)
    elif home.valkey_path.is_dir():
        with home.claim():
            layout = anyio.run(stopped)
    else:
        raise BadInput(f"nothing has run in {home.path} yet: set streams.lanes = {number} before it does")
    if as_json:
        typer.echo(msgspec.json.encode({"lanes": layout.lanes, "changes": layout.epoch}).decode())
        return
    told = settings.streams.lanes not in (0, layout.lanes)
    to_do = f"; set streams.lanes = {layout.lanes} before the node starts again" if told else ""
    typer.echo(f"{layout.lanes} lanes{to_do}")


def _table(now: Any, before: Any, seconds: float) -> Any:
    from rich.table import Table

    table = Table("stream", "owner", "waiting", "kept", "per second", "dead", "applied")
    parts = [("ingress", now[0], before[0] if before else None)]
    parts += [
        (str(lane.lane), lane, before[1][i] if before and i < len(before[1]) else None) for i, lane in enumerate(now[1])
    ]
    for name, here, then in parts:
        done = (then.lag - here.lag + _added(here, then)) / seconds if then else float("nan")
        rate = f"{done:,.0f}" if done == done else "-"
        owner, counts = here.owner or "nobody", (str(here.lag), str(here.length), rate, str(here.dead))
        table.add_row(name, owner, *counts, here.applied_id)
    return table


def _added(here: Any, then: Any) -> int:
    """Return the entries that came in between, as far as the lengths tell."""
    return max(int(here.length - then.length), 0)
