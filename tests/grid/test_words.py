"""What is said of each indicator is what its kernel does."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from tests.kernels.market import grid_of, random_panel

from tapeline.bench.oracles import TALIB
from tapeline.grid import UnknownIndicator, indicator_help, indicators
from tapeline.grid.words import WORDS, page, pattern_of
from tapeline.kernels import all_kernels
from tapeline.kernels.catalogue import _spell

PAGE = Path("docs/indicators.md")
CASES = [(t, k.examples[0]) for k in all_kernels() for t in k.outputs]


def test_page_holds_every_kernel_and_is_made_of_the_words_of_today() -> None:
    assert {pattern_of(template) for template, _ in CASES} == set(WORDS)
    assert PAGE.read_text() == page(), "write tapeline.grid.words.page() to docs/indicators.md"


@pytest.mark.parametrize(("template", "params"), CASES, ids=[template for template, _ in CASES])
def test_first_value_and_flat_value_are_as_said(template: str, params: tuple[float, ...]) -> None:
    name, words = _spell(template, params), WORDS[pattern_of(template)]
    given = dict(zip(re.findall(r"<(\w+)>", pattern_of(template)), params, strict=True))
    found = indicators(grid_of(random_panel(90, 1)), [name], "all")[name][:, 0]
    assert int(np.isfinite(found).argmax()) == eval(words.warm_up, {"max": max}, given)
    panel = random_panel(90, 1)
    for field in ("open", "high", "low", "close", "vwap", "volume"):
        panel[field][:] = 7.0 if field != "volume" else 100.0
    flat = indicators(grid_of(panel), [name])[name][0]
    np.testing.assert_allclose(flat, eval(words.flat, {"price": 7.0, "volume": 100.0}), rtol=1e-12, atol=1e-12)


def test_talib_is_named_where_the_oracle_has_it() -> None:
    for template, _ in CASES:
        said = WORDS[pattern_of(template)].talib
        assert (TALIB[template].function == re.split(r"\W", said)[0]) if template in TALIB else not said, template


def test_help_of_a_name_says_what_the_page_says() -> None:
    text = indicator_help("macd_5_10_3_hist")
    assert "line minus signal" in text
    assert "Seeds as in TA-Lib" in text
    assert "NaN: bars without a trade" in text
    with pytest.raises(UnknownIndicator, match="rsi_14"):
        indicator_help("rsi")
