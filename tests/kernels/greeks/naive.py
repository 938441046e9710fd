"""Twins of the Greeks that are slow and plain: textbook formulas with math.erf, and one in 60 digits."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import Any

import numpy as np


def normal_cdf(z: float) -> float:
    return 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))


def normal_pdf(z: float) -> float:
    return math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def bsm(right: int, S: float, K: float, T: float, r: float, vol: float, q: float) -> dict[str, float]:
    """Hull's formulas, raw units: per unit of vol, rate and spot, per year."""
    s = vol * math.sqrt(T)
    d1 = (math.log(S / K) + (r - q + 0.5 * vol * vol) * T) / s
    d2 = d1 - s
    asset, cash = S * math.exp(-q * T), K * math.exp(-r * T)
    n1, n2 = normal_cdf(right * d1), normal_cdf(right * d2)
    slope = math.exp(-q * T) * normal_pdf(d1)
    return {
        "price": right * (asset * n1 - cash * n2),
        "delta": right * math.exp(-q * T) * n1,
        "gamma": slope / (S * s),
        "vega": S * slope * math.sqrt(T),
        "theta": -S * slope * vol / (2.0 * math.sqrt(T)) - right * (r * cash * n2 - q * asset * n1),
        "rho": right * T * cash * n2,
        "vanna": -slope * d2 / vol,
        "charm": right * q * math.exp(-q * T) * n1 - slope * (2.0 * (r - q) * T - d2 * s) / (2.0 * T * s),
        "vomma": S * slope * math.sqrt(T) * d1 * d2 / vol,
    }


def implied_by_bisection(right: int, price: float, S: float, K: float, T: float, r: float, q: float) -> float:
    low, high = 1e-6, 20.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if bsm(right, S, K, T, r, middle, q)["price"] < price:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def exact_price(right: int, S: float, K: float, T: float, r: float, vol: float, q: float) -> Decimal:
    """Price with 60 digits, of the very doubles that are given."""
    with localcontext() as context:
        context.prec = 60
        s0, k, t, rate, sigma, y = (Decimal(number) for number in (S, K, T, r, vol, q))
        s = sigma * t.sqrt()
        x = (s0 / k).ln() + (rate - y) * t
        d1, d2 = x / s + s / 2, x / s - s / 2
        return right * (s0 * (-y * t).exp() * exact_cdf(right * d1) - k * (-rate * t).exp() * exact_cdf(right * d2))


def exact_cdf(z: Decimal) -> Decimal:
    """N(z) to about 50 digits: the series in odd double factorials, or Laplace's continued fraction in the wing."""
    two_pi = Decimal("6.283185307179586476925286766559005768394338798750211641949889184615632812572417997256")
    pdf = (-z * z / 2).exp() / two_pi.sqrt()
    a = abs(z)
    if a < 9:
        term = total = a
        k = 1
        while term > Decimal("1e-60") * total and term > 0:
            k += 2
            term = term * a * a / k
            total += term
        half = pdf * total
        return Decimal("0.5") + half if z > 0 else Decimal("0.5") - half
    ratio = a
    for n in range(400, 0, -1):
        ratio = a + n / ratio
    return 1 - pdf / ratio if z > 0 else pdf / ratio


def cases(n: int, seed: int) -> dict[str, Any]:
    """Options of every kind: deep wings, minutes to expiry, decades, negative rates, yields above rates."""
    rng = np.random.default_rng(seed)
    spot = 10.0 ** rng.uniform(-1.0, 4.0, n)
    years = np.where(rng.random(n) < 0.2, rng.uniform(1.0, 3900.0, n) / 525_600.0, 10.0 ** rng.uniform(-3.0, 1.3, n))
    vol = 10.0 ** rng.uniform(-1.7, 0.4, n)
    wings = rng.normal(0.0, 1.0, n) * np.where(rng.random(n) < 0.3, 6.0, 1.5)
    return {
        "right": rng.choice([1, -1], n).astype(np.float64),
        "spot": spot,
        "strike": spot * np.exp(np.clip(wings * vol * np.sqrt(years), -5.0, 5.0)),
        "years": years,
        "rate": rng.uniform(-0.05, 0.15, n),
        "vol": vol,
        "div_yield": np.where(rng.random(n) < 0.5, 0.0, rng.uniform(-0.02, 0.12, n)),
    }
