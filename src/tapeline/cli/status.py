"""``status`` asks the node where its lanes stand, what was lost and what does not work, and says where its page is."""

from __future__ import annotations

import os
from typing import Any

import anyio
import httpx2
import msgspec
import typer

from tapeline.cli.disk import line_of, usage_of
from tapeline.cli.settings import JsonOption, load_settings
from tapeline.core.config import StreamsConfig
from tapeline.core.config.secrets import without_password
from tapeline.core.errors import BadInput
from tapeline.core.home import Home, default_home

LOOK_S = 5.0
"""Real seconds that the node's page may take to answer."""


class _Sources(msgspec.Struct, frozen=True):
    """Of /api/status, what is read here."""

    sources: dict[str, str]


def add_to(app: typer.Typer) -> None:
    """Add the verb ``status``."""
    app.command()(status)


def status(as_json: JsonOption = False) -> None:
    """Show the running node, its lanes (owner, waiting, applied, dead letters), lost data, what is wrong, the disk."""
    from tapeline.app import lane_progress
    from tapeline.streams.letters import stream_losses

    home = default_home(os.environ)
    note = _note(home)
    lanes, losses = anyio.run(lane_progress, note.valkey), anyio.run(stream_losses, note.valkey)
    wrong = troubles_of(note.api) if note.api else {}
    settings = load_settings(home.settings_path if home.settings_path.is_file() else None).config
    disk, metrics = usage_of(home, settings), _metrics_of(settings.streams)
    if as_json:
        # Token and password stay in the note, which only its owner can read.
        shown = msgspec.structs.replace(note, token="", valkey=without_password(note.valkey))
        told: dict[str, Any] = {"node": shown, "lanes": lanes, "lost_data": losses}
        told["wrong"], told["disk"], told["metrics"] = wrong, disk, metrics
        typer.echo(msgspec.json.encode(told).decode())
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("lane", "owner", "waiting", "kept", "dead", "applied", title=f"node {note.pid} in {home.path}")
    for lane in lanes:
        owner = lane.owner or "nobody"
        table.add_row(str(lane.lane), owner, str(lane.lag), str(lane.length), str(lane.dead), lane.applied_id)
    console = Console()
    console.print(table)
    for loss in losses:
        console.print(f"LOST DATA: {loss.sentence}", style="bold red", soft_wrap=True)
    for part, sentence in wrong.items():
        console.print(f"{part}: {sentence}", style="yellow", soft_wrap=True, markup=False)
    console.print(line_of(disk), soft_wrap=True)
    if metrics:
        console.print(f"metrics of the workers: {' '.join(metrics)}", soft_wrap=True)
    if note.api:
        console.print(f"page: {note.api} (token for starting runs: {home.note_path})")


def troubles_of(page: str) -> dict[str, str]:
    """Return each part of the node that does not work, with one sentence; a page that does not answer is one."""
    try:
        answer = httpx2.get(f"{page}/api/status", timeout=LOOK_S, trust_env=False).raise_for_status()
        sources = msgspec.json.decode(answer.content, type=_Sources).sources
    except (httpx2.HTTPError, msgspec.MsgspecError) as error:
        return {"page": f"it does not answer at {page} ({type(error).__name__})"}
    return {part: sentence for part, sentence in sources.items() if sentence != "ok"}


def _metrics_of(streams: StreamsConfig) -> list[str]:
    """Return where Prometheus asks each worker of the node."""
    from tapeline.streams.watch import metrics_ports
    from tapeline.streams.worker import worker_count

    ports = metrics_ports(streams, worker_count(streams.workers, least=streams.min_workers))
    return [f"http://127.0.0.1:{port}/metrics" for port in ports]


def _note(home: Home) -> Any:
    note = home.read_note()
    if note is None:
        raise BadInput(f"no node runs in {home.path}: start one with `tapeline run`, or set TAPELINE_HOME to its home")
    return note
