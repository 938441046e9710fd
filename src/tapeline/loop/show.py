"""The board: what a person may see of a running node. The session writes it, the page and the API read it.

In: the desk, the book, the runs of the session.  Out: the rows of ``board``, made when somebody asks.
Refuses to change anything but one thing: it hands a person's wish for a run to the session.
"""

from __future__ import annotations

from collections.abc import Mapping

import anyio

from tapeline.core.config import Config
from tapeline.core.errors import BadInput
from tapeline.core.types import Dossier
from tapeline.grid.about import About
from tapeline.loop import pages, ranking
from tapeline.loop.board import Account, LoopStatus, NodeStatus, ScanNews, ScanRow, SymbolPage, Tile
from tapeline.loop.desk import Book, Desk
from tapeline.loop.progress import idle
from tapeline.loop.run import Runs


class Board:
    """What is shown of one node. A ``NodeView``.

    Parameters
    ----------
    config
        The settings of the node.
    mode
        ``"replay"`` or ``"live"``.
    version
        Of the node.
    """

    def __init__(self, config: Config, *, mode: str = "replay", version: str = "") -> None:
        self._config, self._mode, self._node_version = config, mode, version
        self._state, self._minutes_done = "starting", 0
        self._desk: Desk | None = None
        self._book: Book | None = None
        self._runs: Runs | None = None
        self._troubles: dict[str, str] = {}
        self._version = 0
        self._news = anyio.Event()

    # What the node writes.

    def touch(self) -> None:
        """Say that something has changed."""
        self._version += 1
        news, self._news = self._news, anyio.Event()
        news.set()

    def show_state(self, state: str) -> None:
        """Say what the node does: ``starting``, ``history``, ``open``, ``closed``."""
        self._state = state
        self.touch()

    def show_desk(self, desk: Desk) -> None:
        """Show the running parts."""
        self._desk = desk
        self.show_state("history")

    def show_session(self, desk: Desk, book: Book, runs: Runs) -> None:
        """Show a session from its opening on."""
        self._desk, self._book, self._runs = desk, book, runs
        self._minutes_done = 0
        self.show_state("open")

    def show_minute(self, minutes_done: int) -> None:
        """Say how many minutes of the session are done."""
        self._minutes_done = minutes_done
        self.touch()

    def show_trouble(self, part: str, sentence: str) -> None:
        """Say what is wrong with a part of the node that outlives its sessions; nothing once it is healed.

        The summary of a session in which it happened says it, too.
        """
        if sentence and self._book is not None:
            self._book.tally.degrade(part, sentence)
        if self._troubles.get(part, "") != sentence:
            self._troubles = {name: said for name, said in {**self._troubles, part: sentence}.items() if said}
            self.touch()

    # What the page and the API read.

    @property
    def version(self) -> int:
        """Rises with every change."""
        return self._version

    async def changed(self, since: int) -> int:
        """Return the version once it is above ``since``."""
        while self._version <= since:
            await self._news.wait()
        return self._version

    def status(self) -> NodeStatus:
        """Return how the node stands."""
        desk, book = self._desk, self._book
        tally = {} if book is None else pages.tally_of(book)
        return NodeStatus(
            version=self._node_version,
            mode=self._mode,
            day=self._day(),
            now_ns=0 if desk is None else desk.clock.now_ns(),
            state=self._shown_state(),
            minutes_done=self._minutes_done,
            minutes=0 if book is None else book.session.minutes,
            symbols=0 if book is None else len(book.symbols),
            sources=self._sources(),
            label="" if book is None else book.tally.label.value,
            tally=tally,
        )

    def market(self) -> tuple[Tile, ...]:
        """Return a tile for every symbol of the universe; empty before the history is there."""
        return () if self._book is None else pages.tiles_of(self._book, self._about)

    def scan(self) -> tuple[ScanRow, ...]:
        """Return the candidates of the last scan."""
        return () if self._book is None else ranking.rows_of(self._book)

    def scan_news(self) -> ScanNews:
        """Return what is to be said of the last scan besides its rows."""
        return ScanNews() if self._book is None else ranking.news_of(self._book)

    def account(self) -> Account:
        """Return the paper account."""
        if self._book is None:
            return Account(cash=self._config.trade.initial_cash, equity=None, holdings=(), deals=(), curve=())
        return pages.account_of(self._book)

    def loop_status(self) -> LoopStatus:
        """Return how the run from discovery to trade stands."""
        return idle(self._config.loop.mode) if self._runs is None else self._runs.progress.status()

    def symbol(self, name: str) -> SymbolPage | None:
        """Return everything about one symbol."""
        if self._book is None or name not in self._book.symbols:
            return None
        return pages.symbol_page(self._book, name, self._about.get(name, About()))

    def dossier(self, symbol: str) -> Dossier | None:
        """Return the last dossier of a symbol."""
        return None if self._book is None else pages.dossier_of(self._book, symbol)

    async def run_loop(self, max_tickers: int | None = None, mode: str | None = None) -> None:
        """Ask for a run; see ``NodeView.run_loop``."""
        await anyio.lowlevel.checkpoint()
        if self._runs is None or self._state != "open":
            raise BadInput(f"no session is open (the node is at {self._state!r}): ask again while the market is")
        self._runs.ask(max_tickers, mode)
        self.touch()

    @property
    def _about(self) -> Mapping[str, About]:
        return {} if self._desk is None else self._desk.about

    def _shown_state(self) -> str:
        """Return the state, which is not yet ``open`` while a session that is ready waits for the bell."""
        if self._desk is None or self._book is None or self._state != "open":
            return self._state
        return "before_open" if self._desk.clock.now_ns() < self._book.session.open_ns else "open"

    def _day(self) -> str:
        if self._book is not None:
            return self._book.session.day.isoformat()
        return self._config.replay.day.isoformat() if self._mode == "replay" else ""

    def _sources(self) -> dict[str, str]:
        sources = {} if self._desk is None else pages.sources_of(self._desk, self._degraded())
        feeds = {} if self._book is None else pages.feeds_of(self._book)
        return {**sources, **feeds, **self._troubles}

    def _degraded(self) -> Mapping[str, str]:
        return {} if self._runs is None else self._runs.progress.degraded
