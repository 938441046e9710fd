"""``ticks load`` puts a file's ticks on the ingress; ``ticks replay`` runs kept ticks again, in a group of its own."""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tapeline.cli.process import stream_address
from tapeline.cli.sample import file_or_sample
from tapeline.cli.settings import ConfigOption, JsonOption, load_settings
from tapeline.core.errors import BadInput
from tapeline.core.types import Label

verbs = typer.Typer(
    help="Put ticks of files on the ingress, the stream by which all come in; run those that it keeps again.",
    no_args_is_help=True,
)

AddressOption = Annotated[str, typer.Option(help="Stream server; that of the settings or the running node by default.")]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_GROUP = re.compile(r"[A-Za-z0-9_-]{1,64}")


def add_to(app: typer.Typer) -> None:
    """Add the verbs ``ticks load`` and ``ticks replay``."""
    app.add_typer(verbs, name="ticks")


@verbs.command()
def load(
    file: Annotated[
        Path, typer.Argument(help="CSV or Parquet with symbol, price, volume, time; or sample:ticks, sample:chains.")
    ],
    symbol: Annotated[str, typer.Option(help="Whose ticks they are, when the file has no column for it.")] = "",
    feed: Annotated[str, typer.Option(help="Where they come from.")] = "file",
    label: Annotated[Label, typer.Option(help="What kind of numbers they are.")] = Label.REAL,
    address: AddressOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put the ticks of a file on the ingress, in its order."""
    from tapeline.live.tape import read_ticks
    from tapeline.streams.writer import TickWriter

    settings, n = load_settings(config).config, 0
    chunks = read_ticks(file_or_sample(file), symbol=symbol, feed=feed, label=label)
    first = next(chunks, None)  # a file that cannot be read is told before a server that cannot be reached
    with TickWriter(address or stream_address(settings, os.environ)) as writer:
        while first is not None:
            writer.write(first)
            n += len(first)
            first = next(chunks, None)
        last_id, is_synced = writer.last_id, writer.sync()
    if as_json:
        typer.echo(msgspec.json.encode({"ticks": n, "last_id": last_id, "synced": is_synced}).decode())
        return
    where = "and on the server's disk" if is_synced else "but not known to be on the server's disk"
    ticks = "1 tick" if n == 1 else f"{n:,} ticks"
    typer.echo(f"{ticks} of {file} went to the ingress, the last under id {last_id or 'none'}, {where}")


@verbs.command()
def replay(
    begin: Annotated[str, typer.Option("--from", help="ISO 8601 with its zone: ticks that came since.")] = "",
    end: Annotated[str, typer.Option("--to", help="ISO 8601 with its zone: ticks that came before.")] = "",
    group: Annotated[str, typer.Option(help="Name of the results; by default it follows from the window.")] = "",
    address: AddressOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run what the ingress keeps of a time through fresh lanes, into a group of its own, and tell what it makes.

    Bars, alerts and hot state are put under tapeline:replay:{GROUP}: on the stream server for as long as hot state
    lives; lanes, alerts:stream and live hot state are not touched. The same window, entries and settings give the same
    digest.
    """
    import anyio

    from tapeline.live.replay import replay_ingress

    settings = load_settings(config).config
    low, high = _moment_ms(begin, 0), _moment_ms(end, 2**53)
    if low > high:
        raise BadInput(f"--from {begin} is after --to {end}: give the earlier moment first")
    where = address or stream_address(settings, os.environ)
    if group and not _GROUP.fullmatch(group):
        raise BadInput(f"--group {group!r} is no name: use 1 to 64 letters, digits, - and _")
    found = anyio.run(replay_ingress, where, settings, low, high, group)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    if not found.entries:
        typer.echo(
            "the ingress keeps no entries of that time: none came, or they were trimmed (streams.tick_days, "
            "streams.max_entries)"
        )
        return
    typer.echo(
        f"{found.ticks:,} ticks of {found.entries:,} entries ({found.first_id} to {found.last_id}) made {found.bars:,} "
        f"bars and {found.alerts:,} alerts, {found.refused:,} were refused\n"
        f"group {found.group}, digest {found.digest}"
    )


def _moment_ms(text: str, otherwise: int) -> int:
    if not text:
        return otherwise
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is not a moment in ISO 8601, as 2026-01-05T14:30:00+00:00 is") from None
    if moment.tzinfo is None:
        raise BadInput(f"{text!r} has no time zone: add one, as in {moment.isoformat()}+00:00")
    return max(0, (moment - _EPOCH) // dt.timedelta(milliseconds=1))  # the server counts from there
