"""Greeks and implied volatility, measured: nanoseconds an option, beside named peers and what memory alone costs.

In: nothing but a size; the options are drawn with a fixed seed.  Out: a dict that JSON can hold.
Refuses to report a ratio to a peer that is not installed: it is None, and the peer is named as absent.
"""

from __future__ import annotations

import importlib
import importlib.util
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapeline.kernels.greeks import OptionStatus, greeks, implied_vol, warm
from tapeline.kernels.threads import compute_threads

F64 = NDArray[np.float64]

SEED = 7
OPTIONS, OPTIONS_QUICK = 1_000_000, 100_000
REPEATS, REPEATS_QUICK = 15, 7
SCALAR_OPTIONS = 2_000
"""A peer that takes one option a call is timed on this many; its time does not depend on how many."""
TIME_VALUE_FLOOR = 1e-12


def run(*, quick: bool) -> dict[str, Any]:
    """Measure and return ``results`` (ours), ``peers`` (theirs, in nanoseconds an option) and ``setting``.

    Parameters
    ----------
    quick
        Fewer options and repeats: seconds instead of a minute.
    """
    n, repeats = (OPTIONS_QUICK, REPEATS_QUICK) if quick else (OPTIONS, REPEATS)
    started = time.perf_counter()
    warm()
    compile_s = time.perf_counter() - started
    chain = listed_chain(n)
    price = greeks(**chain)["price"]
    quotes = {name: column for name, column in chain.items() if name != "vol"}
    greeks_ns = median_ns(lambda: greeks(**chain), n, repeats)
    iv_ns = median_ns(lambda: implied_vol(price=price, **quotes), n, repeats)
    error, clear, indeterminate = round_trip(n)
    peers = scalar_peers(chain, price) | fast_vollib_peers(chain, price, repeats)
    return {
        "results": {
            "greeks_ns": greeks_ns,
            "iv_ns": iv_ns,
            "ratio_numba_greeks": ratio(peers["fast_vollib_numba_greeks_ns"], greeks_ns),
            "ratio_numba_iv": ratio(peers["fast_vollib_numba_iv_ns"], iv_ns),
            "ratio_default_greeks": ratio(peers["fast_vollib_default_greeks_ns"], greeks_ns),
            "ratio_default_iv": ratio(peers["fast_vollib_default_iv_ns"], iv_ns),
            "ratio_vollib_iv": ratio(peers["vollib_iv_ns"], iv_ns),
            "round_trip_err": error,
            "floor_ns": copy_floor_ns(n, repeats),
            "compile_s": round(compile_s, 3),
        },
        "peers": peers,
        "setting": {
            "options": n,
            "threads": compute_threads(),
            "seed": SEED,
            "round_trip_options": clear,
            "round_trip_indeterminate": indeterminate,
        },
    }


def listed_chain(n: int) -> dict[str, Any]:
    """Return options as they are listed: a week to two years, strikes within two standard deviations."""
    rng = np.random.default_rng(SEED)
    spot, years, vol = rng.uniform(20.0, 500.0, n), rng.uniform(0.02, 2.0, n), rng.uniform(0.1, 0.8, n)
    return {
        "right": rng.choice([1.0, -1.0], n),
        "spot": spot,
        "strike": spot * np.exp(np.clip(rng.normal(0.0, 1.0, n), -2.0, 2.0) * vol * np.sqrt(years)),
        "years": years,
        "rate": rng.uniform(-0.01, 0.06, n),
        "vol": vol,
        "div_yield": rng.uniform(0.0, 0.04, n),
    }


def round_trip(n: int) -> tuple[float, int, int]:
    """Return the largest relative error of price -> vol -> price, on how many options, and how many had no vol.

    Options of every kind: minutes to decades, volatility of 2 % to 250 %, strikes up to 12 standard deviations off.
    """
    rng = np.random.default_rng(SEED + 1)
    years, vol = 10.0 ** rng.uniform(-5.0, 1.3, n), 10.0 ** rng.uniform(-1.7, 0.4, n)
    reach = np.clip(rng.normal(0.0, 3.0, n), -12.0, 12.0) * vol * np.sqrt(years)
    option: dict[str, Any] = {
        "right": rng.choice([1.0, -1.0], n),
        "spot": np.full(n, 100.0),
        "strike": 100.0 * np.exp(np.clip(reach, -5.0, 5.0)),
        "years": years,
        "rate": rng.uniform(-0.05, 0.15, n),
        "div_yield": rng.uniform(-0.02, 0.1, n),
    }
    price = greeks(vol=vol, **option)["price"]
    asset = option["spot"] * np.exp(-option["div_yield"] * years)
    cash = option["strike"] * np.exp(-option["rate"] * years)
    time_value = price - np.maximum(option["right"] * (asset - cash), 0.0)
    found, status = implied_vol(price=price, **option)
    again = greeks(vol=found, **option)["price"]
    clear = time_value > TIME_VALUE_FLOOR * option["spot"]
    # A clear option without a volatility is a failure, and must not fall out of the maximum as a NaN.
    error = np.where(np.isfinite(again), np.abs(again - price) / price, np.inf)
    return float(np.max(error[clear])), int(clear.sum()), int(np.sum(status == OptionStatus.INDETERMINATE))


def median_ns(call: Callable[[], object], n: int, repeats: int) -> float:
    """Return the median time of ``call`` in nanoseconds an option; the first call is not counted."""
    call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - started)
    return round(statistics.median(times) / n, 2)


def ratio(theirs: float | None, ours: float) -> float | None:
    """Return how many times faster we are; None when the peer is absent."""
    return None if theirs is None else round(theirs / ours, 2)


def copy_floor_ns(n: int, repeats: int) -> float:
    """Return what moving the same bytes costs: 7 columns read, 6 written, on one thread, into fresh memory."""
    columns = np.ones((7, n))
    return median_ns(lambda: (columns[:6].copy(), columns[6].sum()), n, repeats)


def scalar_peers(chain: dict[str, Any], price: F64) -> dict[str, float | None]:
    """Time vollib, which takes one option a call."""
    if importlib.util.find_spec("vollib") is None:
        return {"vollib_greeks_ns": None, "vollib_iv_ns": None}
    model = importlib.import_module("vollib.black_scholes_merton")
    analytical = importlib.import_module("vollib.black_scholes_merton.greeks.analytical")
    solver = importlib.import_module("vollib.black_scholes_merton.implied_volatility")
    names = ("right", "spot", "strike", "years", "rate", "vol", "div_yield")
    columns = [chain[name][:SCALAR_OPTIONS].tolist() for name in names]
    options = [("c" if row[0] > 0 else "p", *row[1:]) for row in zip(*columns, strict=True)]
    quotes = [
        (paid, S, K, T, r, q, side)
        for paid, (side, S, K, T, r, _, q) in zip(price[: len(options)].tolist(), options, strict=True)
    ]
    first_order = ("delta", "gamma", "vega", "theta", "rho")
    values = [model.black_scholes_merton, *(getattr(analytical, name) for name in first_order)]
    return {
        "vollib_greeks_ns": median_ns(lambda: [value(*row) for row in options for value in values], len(options), 3),
        "vollib_iv_ns": median_ns(lambda: [solver.implied_volatility(*row) for row in quotes], len(quotes), 3),
    }


def fast_vollib_peers(chain: dict[str, Any], price: F64, repeats: int) -> dict[str, float | None]:
    """Time fast-vollib with both backends, without its data frames; None for what is not installed."""
    absent: dict[str, float | None] = {
        f"fast_vollib_{backend}_{what}_ns": None for backend in ("numba", "default") for what in ("greeks", "iv")
    }
    if importlib.util.find_spec("fast_vollib") is None:
        return absent
    peer = importlib.import_module("fast_vollib")
    flag = np.where(chain["right"] > 0.0, "c", "p")
    S, K, T, r, vol, q = (chain[name] for name in ("spot", "strike", "years", "rate", "vol", "div_yield"))
    found: dict[str, float | None] = {}
    for label, backend in (("numba", "numba"), ("default", "auto")):
        few = repeats if label == "numba" else 3
        common: dict[str, Any] = {"model": "black_scholes_merton", "return_as": "numpy", "backend": backend}
        values = partial(peer.get_all_greeks, flag, S, K, T, r, vol, q, **common)
        solve = partial(peer.fast_implied_volatility, price, S, K, T, r, flag, q, on_error="ignore", **common)
        found[f"fast_vollib_{label}_greeks_ns"] = median_ns(values, S.size, few)
        found[f"fast_vollib_{label}_iv_ns"] = median_ns(solve, S.size, few)
    return absent | found
