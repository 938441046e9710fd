"""From discovery to dossier: ``[llm]``, ``[thesis]`` and ``[loop]``."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tapeline.core.config.base import Count, Fraction, NotNegative, Positive, Section


class LlmConfig(Section, frozen=True):
    """The language model. Read by ``feed.llm``. An endpoint's key, if it wants one, comes from TAPELINE_LLM_API_KEY."""

    kind: Literal["embedded", "endpoint", "sim", "none"] = "embedded"
    """embedded: SmolLM2 in a process of its own; endpoint: any server that speaks OpenAI's chat format; sim: the
    simulator's; none: rules only."""
    base_url: str = ""
    """Of the endpoint, up to and including its /v1."""
    model: str = "smollm2-135m-instruct"
    """Its name at the endpoint, and in the dossiers."""
    max_context_tokens: Annotated[int, Meta(ge=400, le=100_000)] = 600
    """Tokens of context in one prompt; more costs a small model more time than it gains, and below 400 the questions
    alone would not fit."""
    max_answer_tokens: Annotated[int, Meta(ge=64, le=8_192)] = 160
    """Of a usual answer; the questions and the synthesis may be twice as long."""
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.0
    """0 always says what is likeliest, so the same question has the same answer."""
    timeout_s: Positive = 60.0
    """Longest wait for one answer; an embedded model on a busy machine needs some 10."""
    requests_per_minute: Annotated[int, Meta(ge=1, le=100_000)] = 600

    def __post_init__(self) -> None:
        if self.kind == "endpoint" and not self.base_url:
            raise ValueError("kind is endpoint, but base_url is empty: name the server, up to and including its /v1")


class ThesisConfig(Section, frozen=True):
    """What makes a dossier. Read by ``thesis``."""

    min_price_bars: Count = 60
    """The gate: fewer daily bars than this, and a ticker is not analysed."""
    max_model_part: Fraction = 0.05
    """How far the language model may move a conviction from its quantitative prior, either way. Small, since a model of
    this size has passed no exam: its stance is often a whole one, and right no more often than a coin."""
    buy_at: Fraction = 0.70
    sell_at: Fraction = 0.30
    """Convictions from which a dossier has a side; 0.5 is no opinion."""

    def __post_init__(self) -> None:
        if not self.sell_at < 0.5 < self.buy_at:
            raise ValueError(
                f"sell_at is {self.sell_at} and buy_at is {self.buy_at}: no opinion, 0.5, must lie between them"
            )


class LoopConfig(Section, frozen=True):
    """The run from discovery to trade. Read by ``loop``."""

    mode: Literal["streaming", "sequential"] = "streaming"
    max_tickers: Annotated[int, Meta(ge=0, le=200)] = 6
    """Tickers analysed in one run, best score first; 0 turns the loop off."""
    start_min: Annotated[int, Meta(ge=0, le=390)] = 30
    """Minutes after the open at which a session's run begins."""
    min_score: NotNegative = 3.0
    """Points of talk from which a ticker is worth collecting."""
    collectors: Annotated[int, Meta(ge=1, le=64)] = 4
    analysts: Annotated[int, Meta(ge=1, le=64)] = 2
    """Tickers collected, and analysed, at a time."""
    collect_queue: Count = 20
    analyse_queue: Count = 5
    trade_queue: Count = 10
    ticker_timeout_s: Positive = 300.0
    """A ticker that takes longer in one stage is given up, and says so."""
