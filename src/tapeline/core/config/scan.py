"""The whole-market scan and its models: ``[scan]`` and ``[ml]``."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from tapeline.core.config.base import Count, Fraction, NotNegative, Positive, Section


class ScanConfig(Section, frozen=True):
    """The whole-market scan. Read by ``scan``."""

    every_min: Count = 5
    """Minutes between scans while the market is open."""
    top: Count = 20
    """Candidates put forward."""
    history_sessions: Annotated[int, Meta(ge=60, le=5000)] = 170
    """Daily bars behind the scan; refused below what the factors need."""
    lookback_days: Annotated[int, Meta(ge=0, le=10_000)] = 0
    """The same in calendar days, for those who count so; 0 leaves ``history_sessions`` as it is."""
    min_price: NotNegative = 5.0
    min_dollar_volume: NotNegative = 5e6
    """Mean of 20 sessions, in dollars; what the free float of a mid cap trades with ease."""
    max_staleness_s: Positive = 900.0
    """A symbol whose last bar is older is listed as stale, not scored."""
    weights: dict[str, float] = field(
        default_factory=lambda: {
            "momentum_21": 0.25,
            "trend": 0.25,
            "reversal_5": 0.10,
            "intraday": 0.20,
            "relative_volume": 0.10,
            "low_volatility": 0.10,
        }
    )
    """Points of each factor's cross-sectional z-score."""
    model_weights: dict[str, float] = field(
        default_factory=lambda: {"return_5": 0.10, "return_10": 0.10, "up_10": 0.05}
    )
    """Points of each model's cross-sectional z-score, where a scan is given a forecast. Small, as the shipped models
    show no skill (their card says so); raise them for models of your own that do."""
    sector_neutral: bool = False
    """Compare every symbol with its sector instead of the whole market."""
    sectors: tuple[str, ...] = ()
    """Only these; empty means all, symbols of an unknown sector included."""
    kinds: tuple[str, ...] = ()
    """Only these kinds (stock, etf, ...); empty means all."""
    min_sessions: NotNegative = 0
    """Traded sessions that a symbol must have behind it, beyond what the factors need: new listings are wild."""
    where: str = ""
    """A condition over factors, indicators and bars, e.g. ``rsi_14 < 30 and dollar_volume_20 > 5e6``."""
    stop_atr: Positive = 2.0
    """Settled ATRs between entry and stop."""
    reward_risk: Positive = 2.0
    """Distance to the target over the distance to the stop."""
    lazy_keep: Count = 1000
    """Symbols that the cheap stage of a lazy scan passes on: enough to hold 99 % of the final 50 (``bench scan``)."""
    options_max_symbols: Annotated[int, Meta(ge=0, le=10_000)] = 50
    """Best candidates whose option chains are looked at."""
    fundamentals_max_symbols: Annotated[int, Meta(ge=0, le=10_000)] = 50
    """Best candidates whose company figures are asked for."""
    second_every_min: Annotated[int, Meta(ge=0, le=390)] = 0
    """Minutes between two looks of a running node at the options and companies of its best candidates; 0 for none. Each
    look costs a request a symbol and vendor, of the limits that the polls need too."""
    second_concurrency: Annotated[int, Meta(ge=1, le=100)] = 8
    """Questions of such a look that are open at once."""
    second_timeout_s: Positive = 60.0
    """What has not been answered by then is missing, with that reason."""
    use_explainability: bool = True
    """Say in words what moved the models, for the rows that are shown."""
    features_ttl_s: NotNegative = 86_400.0
    """Seconds for which the stream server keeps a session's features, so that a node that starts again resumes; 0 keeps
    none."""
    plugins: str = ""
    """Python file with factors, screens, indicators and strategies of your own (docs/own-code.md); it runs with your
    rights."""
    strategy: str = ""
    """The strategy of that file whose settings take the place of these; empty for none."""
    time_budget_ms: NotNegative = 0.0
    """Past it a scan returns what it has, marked partial; 0 waits."""


class MlConfig(Section, frozen=True):
    """Training and use of the models. Read by ``ml``."""

    folder: str = ""
    """Folder of folds from ``tapeline train``; empty for the shipped ones."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where trees are trained and asked. A GPU pays for training large universes; a scan is too small for it."""
    rounds: Annotated[int, Meta(ge=1, le=10_000)] = 300
    """Trees at most; early stopping takes fewer."""
    patience: Count = 30
    """Rounds without a better validation before growing stops."""
    depth: Annotated[int, Meta(ge=1, le=16)] = 4
    """Of each tree. Deep trees learn a single year by heart."""
    learning_rate: Annotated[float, Meta(gt=0, le=1)] = 0.03
    embargo_sessions: Annotated[int, Meta(ge=0, le=250)] = 5
    """Between the last label of training and validation, beside the purge of overlapping labels."""
    fold_sessions: Count = 20
    """Sessions between two folds."""
    first_fold_sessions: Count = 130
    """Sessions before the first fold: the look-back of the features and two months to learn from."""
    valid_frac: Annotated[float, Meta(gt=0, lt=1)] = 0.25
    """Share of the known sessions that decides when to stop."""
    max_out_of_range: Annotated[int, Meta(ge=0)] = 4
    """Features outside what training saw before a model abstains on a symbol."""
    min_known_frac: Fraction = 0.8
    """Features that must be known before a model has an opinion on a symbol."""
