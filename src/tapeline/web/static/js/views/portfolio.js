// The paper account: equity, positions, and the fills as they arrive, newest first.

import { colour, el, fill, keyed, onTheme, setText } from "../dom.js";
import * as f from "../format.js";
import { DataTable, put, showLink } from "../table.js";
import { empty, figure, label, panel, symbolLink } from "./parts.js";

const SHOWN = 200;
const SAY_MS = 4000; // between two sentences to who cannot see the fills arrive
const SILENT = "It has no price yet.";

const COLUMNS = [
  { id: "symbol", head: "Symbol", rowHead: true, value: (row) => row.symbol, make: () => symbolLink(""), show: (cell, row) => showLink(cell.firstChild, row.symbol) },
  { id: "shares", head: "Shares", n: true, value: (row) => row.qty, show: (cell, row) => put(cell, f.qty(row.qty)) },
  { id: "cost", head: "Cost", unit: "$ each", title: "What one cost on average, fees aside", n: true, value: (row) => row.avg_price, show: (cell, row) => put(cell, f.price(row.avg_price)) },
  { id: "price", head: "Price", unit: "$", n: true, value: (row) => row.price, show: (cell, row) => put(cell, f.price(row.price), { why: SILENT }) },
  { id: "value", head: "Value", unit: "$", n: true, wide: true, value: (row) => row.value, show: (cell, row) => put(cell, f.num(row.value, 0), { why: SILENT, title: f.money(row.value) }) },
  { id: "share", head: "Share", unit: "% of equity", n: true, wide: true, value: (row) => row.share_pct, show: (cell, row) => put(cell, f.num(row.share_pct, 1), { why: SILENT }) },
  { id: "profit", head: "Profit", unit: "%", title: "Price against cost, since it was bought", n: true, value: (row) => row.profit_pct, show: showProfit },
];

function showProfit(cell, row) {
  const dollars = row.value === null ? null : row.value - row.qty * row.avg_price;
  put(cell, f.signed(row.profit_pct), { why: SILENT, title: f.gain(dollars) });
  cell.className = `n ${f.direction(row.profit_pct)}`;
}

export function portfolioView(store) {
  const figures = el("div", { class: "figures" });
  const chart = el("div", { class: "equity", role: "img" });
  const deals = el("ol", { class: "deals", tabindex: 0, "aria-label": "Fills, newest first" });
  const [noPositions, noDeals, noCurve] = [el("div"), el("div"), el("div")];
  const table = new DataTable({ caption: "Positions", columns: COLUMNS, key: (row) => row.symbol, sort: "symbol", text: (row) => row.symbol });
  const [origin, priced] = [el("span"), el("span")];
  const spoken = el("p", { class: "quiet", role: "status" });
  const equity = panel("Equity", "paper money, the market's time", chart, noCurve);
  equity.firstChild.append(origin);
  const held = panel("Positions", null, table.node, noPositions);
  held.firstChild.append(table.input, table.tally, priced);
  const filled = panel("Fills", "newest first, with the reason", deals, noDeals);
  filled.firstChild.append(label("simulated"));
  const node = el("div", { class: "portfolioview" }, el("h1", { class: "quiet" }, "Portfolio"), figures,
    el("div", { class: "columns" },
      el("div", {}, equity, held), filled), spoken);
  fill(figures, ["Equity", "Since the open", "Cash", "Invested", "Positions", "Fills"].map((name) => figure(name, f.NONE, "", "Asking the node …")));
  let plot = null;
  let known = null;
  let saidAt = -Infinity;
  const watch = new ResizeObserver(() => plot?.setSize({ width: chart.clientWidth, height: 230 }));
  watch.observe(chart);
  const stop = onTheme(() => (plot?.destroy(), (plot = null), update("portfolio")));

  function showFigures(account) {
    const first = account.curve.find((point) => point.equity !== null)?.equity;
    const gain = account.equity !== null && first ? account.equity - first : null;
    const invested = account.equity === null ? null : account.equity - account.cash;
    const before = "Known once every position has a price.";
    fill(figures, figure("Equity", f.money(account.equity), "", account.equity === null ? before : "Cash and what the positions are worth"),
      figure("Since the open", f.gain(gain), gain === null ? "" : f.pct((100 * gain) / first), gain === null ? before : `From ${f.money(first)}`),
      figure("Cash", f.money(account.cash)), figure("Invested", f.money(invested), invested === null ? "" : f.share(invested, account.equity), invested === null ? before : "Equity less cash"),
      figure("Positions", f.count(account.holdings.length)), figure("Fills", f.count(account.deals.length), "", "Booked in this session"));
    figures.children[1].className = `figure ${f.direction(gain)}`;
  }

  function showCurve(curve) {
    const data = [curve.map((point) => point.event_ns / 1e9), curve.map((point) => point.equity)];
    chart.hidden = curve.length < 2;
    fill(noCurve, curve.length < 2 ? empty("No curve yet", "A point is added with every minute of the market.") : null);
    if (curve.length < 2) return;
    const last = curve.at(-1);
    chart.setAttribute("aria-label", `Equity ${f.money(last.equity)} at ${f.minute(last.event_ns)}, ${f.money(curve[0].equity)} at ${f.minute(curve[0].event_ns)}; paper money`);
    if (plot) plot.setData(data);
    else plot = new uPlot(curveOptions(chart.clientWidth), data, chart);
  }

  function showPositions({ holdings: rows, equity: all }) {
    const holdings = rows.map((row) => ({ ...row, share_pct: row.value === null || !all ? null : (100 * row.value) / all }));
    table.node.hidden = table.input.hidden = !holdings.length;
    fill(noPositions, holdings.length ? null : empty("No positions", "The account is all in cash."));
    table.show(holdings);
  }

  function showDeals(rows) {
    fill(noDeals, rows.length ? null : empty("No fills yet", "A fill appears here the moment it is booked."));
    const fresh = known === null ? new Set() : new Set(rows.map((row) => row.fill_id).filter((id) => !known.has(id)));
    known = new Set(rows.map((row) => row.fill_id));
    if (fresh.size && performance.now() - saidAt > SAY_MS) {
      saidAt = performance.now();
      setText(spoken, `${rows[0].side} ${rows[0].symbol}, ${f.qty(rows[0].qty)} at ${f.price(rows[0].price)}${fresh.size > 1 ? `, and ${fresh.size - 1} more` : ""}`);
    }
    keyed(deals, rows.slice(0, SHOWN), (row) => row.fill_id, (row) => dealRow(row, fresh.has(row.fill_id)), () => {});
  }

  function update(name) {
    if (!["all", "portfolio"].includes(name)) return;
    const account = store.parts.portfolio;
    if (!account) return void fill(noDeals, empty("Asking the node …"));
    for (const place of [origin, priced]) fill(place, label(store.parts.status?.label));
    showFigures(account);
    showCurve(account.curve);
    showPositions(account);
    showDeals(account.deals);
  }

  return { node, parts: ["portfolio"], update, close: () => (stop(), table.close(), watch.disconnect(), plot?.destroy()) };
}

export function dealRow(row, fresh) {
  return el("li", { class: fresh ? "fresh" : "", "data-fill": row.fill_id },
    el("time", {}, f.time(row.event_ns)), el("span", { class: `side ${row.side}` }, row.side), symbolLink(row.symbol),
    el("span", { class: "terms", title: f.money(row.qty * row.price) }, `${f.qty(row.qty)} at ${f.dollars(row.price)}`), label(row.label),
    el("div", { class: "reason" }, row.reason.split("; ").map((voice) => el("p", {}, voice))), el("span", { class: "fee" }, `fee ${f.money(row.fee)}`));
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
