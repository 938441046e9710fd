"""The life of the embedded language model's process: started, watched, started again when it ends.

In: its command.  Out: whether and where it answers; ``PatientModel``, which waits for it.
Refuses to start again what says that a person has to mend something. A question that a death cut off is asked once
more and then given up with the reason. All waits are for real work, in real seconds: in a replay the market stands
still meanwhile, so a death changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
import msgspec

from tapeline.core.errors import BadInput, ProcessDied
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.process import Child, spawn
from tapeline.feed.llm import LLM_HOST, LanguageModel, ModelBehind
from tapeline.feed.model_server import Ready

T = TypeVar("T", bound=msgspec.Struct)

NAME = "the embedded language model"
START_TIMEOUT_S = 60.0
"""That the model may take to load its weights."""
WATCH_EVERY_S = 0.1
"""Between two looks at the process."""
NOTICE_S = 1.0
"""How long after a failed question its server may still be found dead."""
CALM_S = 60.0
"""A server that lived as long has not died of how it was started: the pauses begin anew."""
FIRST_PAUSE_S, LAST_PAUSE_S = 0.5, 60.0
FIRST_STARTS = 3
"""How often a node tries to start it before it goes on without a model."""
TRIES = 2
"""A question over which the server dies twice is not asked again: it may be what kills it."""
SIGNALLED = 128
"""Exit codes above are signals, as shells have it."""


class ModelServer:
    """The process of the embedded model. What was started is ended by ``terminate``, and only there for good.

    Parameters
    ----------
    argv
        The command; it writes one ``Ready`` line.
    log_path
        Where its standard error goes.
    drain_s
        How long it may take to end.
    first_pause_s
        Before it is started again; doubles with every death that follows soon.

    Attributes
    ----------
    pid
        The process that answers; 0 before the first does.
    lives
        How often it came to answer.
    trouble
        Why it does not answer now; empty while it does.
    """

    def __init__(
        self, argv: Sequence[str], *, log_path: Path, drain_s: float, first_pause_s: float = FIRST_PAUSE_S
    ) -> None:
        self._argv, self._log_path, self._drain_s, self._first_pause_s = argv, log_path, drain_s, first_pause_s
        self.pid, self.lives = 0, 0
        self.trouble = f"{NAME} is being loaded"
        self._is_over = False
        self._changed = anyio.Event()
        self._child = self._spawn()

    async def first_url(self) -> Outcome[str]:
        """Wait until it answers for the first time; return its address, or why there is none."""
        for start in range(1, FIRST_STARTS + 1):
            try:
                url = await self._ready()
            except ProcessDied as error:
                reason = str(error)
            else:
                self._rise()
                return value_of(url, source=LLM_HOST)
            await anyio.to_thread.run_sync(self._child.terminate)
            if self._child.poll() == BadInput.exit_code or start == FIRST_STARTS:
                break
            await anyio.sleep(pause_s(start, self._first_pause_s))
            self._child = self._spawn()
        return nothing(Kind.ERROR, source=LLM_HOST, reason=reason)

    async def watch(self, moved: Callable[[str], None], tell: Callable[[str], None]) -> None:
        """Start it again whenever it ends, until cancelled or until it says that a person has to mend something.

        Parameters
        ----------
        moved
            Called with its new address as soon as it answers there.
        tell
            Told what is wrong, and an empty text once it is mended.
        """
        deaths, began_s = 0, anyio.current_time()
        while True:
            while (code := self._child.poll()) is None:
                await anyio.sleep(WATCH_EVERY_S)
            deaths = deaths + 1 if anyio.current_time() - began_s < CALM_S else 1
            self._is_over = code == BadInput.exit_code
            self._turn(_obituary(code, self._child.last_words(), self._is_over))
            tell(self.trouble)
            await anyio.to_thread.run_sync(self._child.terminate)
            if self._is_over:
                return
            await anyio.sleep(pause_s(deaths, self._first_pause_s))
            began_s = anyio.current_time()
            self._child = self._spawn()
            try:
                moved(await self._ready())
            except ProcessDied:  # it ended, or never spoke and is ended now: the next look finds it so
                await anyio.to_thread.run_sync(self._child.terminate)
            else:
                self._rise()
                tell("")

    async def wait_up(self, patience_s: float) -> str:
        """Wait until it answers; return an empty text, or why it does not within ``patience_s``."""
        with anyio.move_on_after(patience_s):
            while self.trouble and not self._is_over:
                await self._changed.wait()
        return self.trouble

    async def has_died_since(self, life: int) -> bool:
        """Return whether the server of its ``life``-th life is gone; a death of this moment takes one to be noticed."""
        with anyio.move_on_after(NOTICE_S):
            while self.lives == life and not self.trouble:
                await self._changed.wait()
        return self.lives != life or bool(self.trouble)

    def terminate(self) -> None:
        """End it."""
        self._child.terminate()

    def _spawn(self) -> Child:
        return spawn(self._argv, name=NAME, log_path=self._log_path, pipe_stdout=True, drain_s=self._drain_s)

    async def _ready(self) -> str:
        """Return the address that it writes. Raises ProcessDied when it ends first, or says nothing in time."""
        assert self._child.stdout is not None
        with anyio.move_on_after(START_TIMEOUT_S) as waiting:
            await anyio.wait_readable(self._child.stdout)
        if waiting.cancelled_caught:
            raise ProcessDied(f"{NAME} said nothing within {START_TIMEOUT_S:.0f} s; {self._child.last_words()}")
        line = self._child.read_line(NOTICE_S)  # a line is written in one piece
        ready = msgspec.json.decode(line, type=Ready)
        self.pid = ready.pid
        return ready.url

    def _rise(self) -> None:
        self.lives += 1
        self._turn("")

    def _turn(self, trouble: str) -> None:
        self.trouble = trouble
        changed, self._changed = self._changed, anyio.Event()
        changed.set()


class PatientModel(ModelBehind):
    """A ``LanguageModel`` that waits while its server is started again, and asks once more what a death cut off.

    Parameters
    ----------
    model
        Who is asked.
    server
        Its process.
    patience_s
        Real seconds that a question waits for the server, at most.
    """

    def __init__(self, model: LanguageModel, server: ModelServer, patience_s: float) -> None:
        super().__init__(model)
        self._server, self._patience_s = server, patience_s

    async def ask(self, system: str, user: str, schema: type[T], *, max_tokens: int | None = None) -> Outcome[T]:
        """Ask the model; see ``LanguageModel.ask``.

        Returns
        -------
        Outcome
            As the model says; limited, of the host, when its server is not back in time; error, of the host, when the
            server died over this question twice.
        """
        for _ in range(TRIES):
            if trouble := await self._server.wait_up(self._patience_s):
                return nothing(Kind.LIMITED, source=LLM_HOST, reason=trouble)
            life = self._server.lives
            outcome = await self._model.ask(system, user, schema, max_tokens=max_tokens)
            if outcome.is_value or outcome.source == self.name or not await self._server.has_died_since(life):
                return outcome
        return nothing(Kind.ERROR, source=LLM_HOST, reason=f"{NAME} ended {TRIES} times over this question")


def _obituary(code: int, last_words: str, is_over: bool) -> str:
    how, words = (f"by signal {code - SIGNALLED}", "") if code > SIGNALLED else (f"with code {code}", f": {last_words}")
    return f"{NAME} ended {how} and is {'not ' if is_over else ''}started again{words}"


def pause_s(deaths: int, first_s: float = FIRST_PAUSE_S) -> float:
    """Return how long to wait before it is started again after ``deaths`` in short succession."""
    return min(LAST_PAUSE_S, first_s * 2.0 ** min(deaths - 1, 20))
