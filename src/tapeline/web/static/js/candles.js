// Candles with volume, overlays and fills, by lightweight-charts. Loaded only when a symbol is looked at.

import { CandlestickSeries, HistogramSeries, LineSeries, createChart, createSeriesMarkers } from "../vendor/lightweight-charts/lightweight-charts.standalone.production.mjs";
import { colour } from "./dom.js";
import * as f from "./format.js";

const ON_PRICE = /^(sma|ema|wma|vwap|bb|boll|donchian|keltner|psar|supertrend)/;

export class Candles {
  constructor(box) {
    this.box = box;
    this.kind = "minutes";
    this.shown = null;
    this.lines = new Map();
    this.chart = createChart(box, { autoSize: true, localization: { timeFormatter: (s) => (this.kind === "days" ? f.dayOf(s * 1e9) : f.minute(s * 1e9)) } });
    this.bars = this.chart.addSeries(CandlestickSeries, { borderVisible: false });
    this.volume = this.chart.addSeries(HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    this.marks = createSeriesMarkers(this.bars, []);
    box.querySelector("#tv-attr-logo")?.setAttribute("aria-label", "TradingView, who made this chart");
    this.theme();
  }

  close() {
    this.chart.remove();
  }

  theme() {
    const [up, down, line, panel] = [colour("up"), colour("down"), colour("line"), colour("panel")];
    this.chart.applyOptions({
      layout: { background: { type: "solid", color: panel }, textColor: colour("dim"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 11, attributionLogo: true, panes: { separatorColor: line, separatorHoverColor: line } },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line, timeVisible: true, secondsVisible: false, tickMarkFormatter: (s) => (this.kind === "days" ? f.dayOf(s * 1e9) : f.minute(s * 1e9)) },
    });
    this.bars.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
    this.colours = { up: `${up}55`, down: `${down}55`, buy: colour("accent"), sell: colour("warn") };
  }

  /** Show `kind` ("minutes" or "days") of a symbol's page, with the indicators whose names are in `chosen`. */
  show(page, kind, chosen) {
    this.kind = kind;
    const rows = page[kind];
    const at = rows.map((bar) => Math.round(bar.event_ns / 1e9));
    const precision = f.fine(rows.at(-1)?.close ?? 1);
    this.bars.applyOptions({ priceFormat: { type: "price", precision, minMove: 10 ** -precision } });
    this.bars.setData(rows.map(({ open, high, low, close }, i) => ({ time: at[i], open, high, low, close })));
    this.volume.setData(rows.map(({ open, close, volume }, i) => ({ time: at[i], value: volume, color: close < open ? this.colours.down : this.colours.up })));
    this.showLines(kind === "minutes" ? page.indicators : {}, chosen, at);
    this.showDeals(page.deals, kind);
    const what = `${page.symbol} ${kind}`;
    if (this.shown !== what) this.chart.timeScale().fitContent();
    this.shown = what;
  }

  showLines(indicators, chosen, at) {
    const names = Object.keys(indicators).filter((name) => chosen.has(name));
    for (const [name, series] of this.lines) {
      if (names.includes(name)) continue;
      this.chart.removeSeries(series);
      this.lines.delete(name);
    }
    names.forEach((name) => {
      if (!this.lines.has(name)) {
        const pane = ON_PRICE.test(name) ? 0 : 1;
        const style = { color: colour(`f${Object.keys(indicators).indexOf(name) % 8}`), lineWidth: 1, priceLineVisible: false, lastValueVisible: pane === 1 };
        this.lines.set(name, this.chart.addSeries(LineSeries, style, pane));
        if (pane) this.chart.panes()[1]?.setStretchFactor(0.3);
      }
      this.lines.get(name).setData(indicators[name].map((value, i) => (value === null ? { time: at[i] } : { time: at[i], value })));
    });
  }

  showDeals(deals, kind) {
    const marks = kind === "days" ? [] : deals.map((deal) => {
      const buy = deal.side === "buy";
      return { time: Math.floor(deal.event_ns / 1e9 / 60) * 60, position: buy ? "belowBar" : "aboveBar", shape: buy ? "arrowUp" : "arrowDown", color: buy ? this.colours.buy : this.colours.sell };
    });
    this.marks.setMarkers(marks.sort((a, b) => a.time - b.time));
  }
}
