// The paper account: equity, positions, and the fills as they arrive, newest first.

import { colour, el, fill, keyed, onTheme, setText } from "../dom.js";
import * as f from "../format.js";
import { empty, figure, label, panel, symbolLink } from "./parts.js";

const SHOWN = 200;

export function portfolioView(store) {
  const figures = el("div", { class: "figures" });
  const chart = el("div", { class: "equity", role: "img" });
  const positions = el("tbody");
  const deals = el("ol", { class: "deals", "aria-label": "Fills, newest first" });
  const [noPositions, noDeals, noCurve] = [el("div"), el("div"), el("div")];
  const head = ["Symbol", "Shares", "Cost", "Price", "Value", "Profit"];
  const table = el("table", {}, el("thead", {}, el("tr", {}, head.map((word, at) => el("th", { scope: "col", class: at ? "n" : "" }, word)))), positions);
  const origin = el("span");
  const equity = panel("Equity", "paper money, the market's time", chart, noCurve);
  equity.firstChild.append(origin);
  const node = el("div", { class: "portfolioview" }, el("h1", { class: "quiet" }, "Portfolio"), figures,
    el("div", { class: "columns" },
      el("div", {}, equity, panel("Positions", null, el("div", { class: "scroll" }, table), noPositions)),
      panel("Fills", "newest first, with the reason", deals, noDeals)));
  let plot = null;
  let known = null;
  const watch = new ResizeObserver(() => plot?.setSize({ width: chart.clientWidth, height: 230 }));
  watch.observe(chart);
  const stop = onTheme(() => (plot?.destroy(), (plot = null), update("portfolio")));

  function showFigures(account) {
    const first = account.curve.find((point) => point.equity !== null)?.equity;
    const gain = account.equity !== null && first ? account.equity - first : null;
    const invested = account.equity === null ? null : account.equity - account.cash;
    fill(figures, figure("Equity", f.money(account.equity)),
      figure("Today", gain === null ? f.NONE : (gain > 0 ? "+" : "") + f.money(gain), gain === null ? "" : f.pct((100 * gain) / first)),
      figure("Cash", f.money(account.cash)), figure("Invested", f.money(invested)),
      figure("Positions", f.count(account.holdings.length)), figure("Fills", f.count(account.deals.length)));
    figures.children[1].className = `figure ${f.direction(gain)}`;
  }

  function showCurve(curve) {
    const data = [curve.map((point) => point.event_ns / 1e9), curve.map((point) => point.equity)];
    chart.hidden = curve.length < 2;
    fill(noCurve, curve.length < 2 ? empty("No curve yet", "A point is added with every minute of the market.") : null);
    if (curve.length < 2) return;
    const last = curve.at(-1);
    chart.setAttribute("aria-label", `Equity ${f.money(last.equity)} at ${f.minute(last.event_ns)}, ${f.money(curve[0].equity)} at ${f.minute(curve[0].event_ns)}`);
    if (plot) plot.setData(data);
    else plot = new uPlot(curveOptions(chart.clientWidth), data, chart);
  }

  function showPositions(holdings) {
    table.hidden = !holdings.length;
    fill(noPositions, holdings.length ? null : empty("No positions", "The account is all in cash."));
    const make = ({ symbol }) => el("tr", {}, el("td", {}, symbolLink(symbol)), head.slice(1).map(() => el("td", { class: "n" })));
    keyed(positions, holdings, (row) => row.symbol, make, (node, row) => {
      const texts = [f.qty(row.qty), f.num(row.avg_price), f.num(row.price), f.money(row.value, 0), f.pct(row.profit_pct)];
      texts.forEach((text, at) => setText(node.children[at + 1], text));
      node.children[5].className = `n ${f.direction(row.profit_pct)}`;
    });
  }

  function showDeals(rows) {
    fill(noDeals, rows.length ? null : empty("No fills yet", "A fill appears here the moment it is booked."));
    const fresh = known === null ? new Set() : new Set(rows.map((row) => row.fill_id).filter((id) => !known.has(id)));
    known = new Set(rows.map((row) => row.fill_id));
    keyed(deals, rows.slice(0, SHOWN), (row) => row.fill_id, (row) => dealRow(row, fresh.has(row.fill_id)), () => {});
  }

  function update(name) {
    if (!["all", "portfolio"].includes(name)) return;
    const account = store.parts.portfolio;
    if (!account) return void fill(noDeals, empty("Asking the node …"));
    fill(origin, label(store.parts.status?.label));
    showFigures(account);
    showCurve(account.curve);
    showPositions(account.holdings);
    showDeals(account.deals);
  }

  return { node, parts: ["portfolio"], update, close: () => (stop(), watch.disconnect(), plot?.destroy()) };
}

export function dealRow(row, fresh) {
  return el("li", { class: fresh ? "fresh" : "", "data-fill": row.fill_id },
    el("time", {}, f.time(row.event_ns)), el("span", { class: `side ${row.side}` }, row.side), symbolLink(row.symbol),
    el("span", { class: "terms" }, `${f.qty(row.qty)} at ${f.num(row.price)}`), label(row.label),
    el("span", { class: "reason" }, row.reason), el("span", { class: "fee", title: "Fee in dollars" }, `fee ${f.num(row.fee)}`));
}

function curveOptions(width) {
  const axis = { stroke: colour("dim"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 }, font: `11px ${getComputedStyle(document.body).fontFamily}` };
  return {
    width,
    height: 230,
    legend: { show: false },
    cursor: { y: false },
    padding: [10, 24, 0, 4],
    tzDate: (s) => uPlot.tzDate(new Date(s * 1e3), "America/New_York"),
    scales: { x: { time: true } },
    axes: [
      { ...axis, size: 30, values: (_, marks) => marks.map((s) => f.minute(s * 1e9)) },
      { ...axis, size: 74, values: (_, marks) => marks.map((value) => f.money(value, Math.abs(value) < 100 ? 2 : 0)) },
    ],
    series: [{}, { label: "Equity", stroke: colour("accent"), width: 1.75, fill: colour("accent-soft"), points: { show: false } }],
  };
}
