// The scan: who ranks first, what made the score, what the models say, who is new, and what a closer look told.

import { el, fill, setText } from "../dom.js";
import * as f from "../format.js";
import { DataTable, put, showLink } from "../table.js";
import { empty, label, symbolLink, waiting } from "./parts.js";

const HUES = 8;
const LEVELS = "of a buy at this price; from the settled average true range";

export function scanView(store) {
  const legend = el("p", { class: "factors" });
  const none = el("div");
  const news = el("ul", { class: "news" });
  const note = el("span", { class: "note" });
  const origin = el("span");
  const order = [];
  const scale = { plus: 1, minus: 0 };
  let moves = new Map();

  const hue = (factor) => {
    if (!order.includes(factor)) order.push(factor);
    return `f${order.indexOf(factor) % HUES}`;
  };

  const columns = [
    { id: "rank", head: "Rank", title: "Place in the last scan, and how far it has moved since the scan before", n: true, low: true, width: "62px", value: (row) => row.rank, make: () => [el("small", { class: "moved" }), el("span")], show: showRank },
    { id: "symbol", head: "Symbol", rowHead: true, width: "76px", value: (row) => row.symbol, make: () => [symbolLink(""), el("small", { class: "new" })], show: showSymbol },
    { id: "score", head: "Score", title: "The sum of the bars: each factor's place among all symbols times its weight", kind: "strong", n: true, width: "74px", value: (row) => row.score, show: (cell, row) => put(cell, f.signed(row.score, 3)) },
    { id: "price", head: "Price", unit: "$", n: true, width: "82px", value: (row) => row.price, show: (cell, row) => put(cell, f.price(row.price), { why: "It has not traded today." }) },
    { id: "stop", head: "Stop", unit: "$", title: `Stop ${LEVELS}`, n: true, wide: true, width: "78px", kind: "dim", value: (row) => row.stop, show: (cell, row) => put(cell, f.price(row.stop), { why: "Its average true range is not known." }) },
    { id: "target", head: "Target", unit: "$", title: `Target ${LEVELS}`, n: true, wide: true, width: "78px", kind: "dim", value: (row) => row.target, show: (cell, row) => put(cell, f.price(row.target), { why: "Its average true range is not known." }) },
    { id: "atr", head: "ATR", unit: "% of price", title: "Average true range: how far it moves on a usual day", n: true, wide: true, width: "80px", kind: "dim", value: atrPct, show: (cell, row) => put(cell, f.num(atrPct(row), 1), { why: "Its average true range is not known.", title: `$${f.price(row.atr)}` }) },
    { id: "age", head: "Age", title: "Time since its last trade when it was scanned", n: true, wide: true, width: "58px", kind: "dim", value: (row) => row.freshness_s, show: (cell, row) => put(cell, f.span(row.freshness_s)) },
  ];
  const made = { id: "made", head: "What made it", kind: "made", make: () => el("div", { class: "stack", role: "img" }, el("div", { class: "minus" }), el("div", { class: "plus" })), show: showMade };
  const table = new DataTable({ caption: "Candidates of the last scan", kind: "scan", columns: [...columns, made], key: (row) => row.symbol, sort: "rank", text: (row) => `${row.symbol} ${row.sector}` });
  const node = el("section", { class: "panel wide" }, el("header", {}, el("h1", {}, "Scan"), note, table.input, table.tally, origin), news, legend, table.node, none);

  function showRank(cell, row) {
    const moved = moves.get(row.symbol) ?? 0;
    setText(cell.lastChild, String(row.rank));
    setText(cell.firstChild, moved ? `${moved > 0 ? "▲" : "▼"}${Math.abs(moved)}` : "");
    cell.firstChild.className = `moved ${f.direction(moved)}`;
    cell.title = moved ? `${Math.abs(moved)} places ${moved > 0 ? "up" : "down"} since the scan before` : "";
  }

  function showSymbol(cell, row) {
    showLink(cell.firstChild, row.symbol);
    setText(cell.lastChild, row.is_new ? "new" : "");
    cell.title = [row.sector, row.is_new ? "new since the last scan" : ""].filter(Boolean).join("; ");
  }

  function showMade(cell, row) {
    const bar = cell.firstChild;
    const [minus, plus] = bar.children;
    const piece = ([factor, points]) => {
      const share = Math.abs(points) / (points < 0 ? scale.minus : scale.plus);
      return el("i", { class: hue(factor), title: `${named(factor)} ${f.signed(points, 3)}`, style: { width: `${100 * share}%` } });
    };
    const words = row.contributions.map(([factor, points]) => `${named(factor)} ${f.signed(points, 3)}`).join(", ");
    const drawn = `${words} ${scale.minus} ${scale.plus}`;
    if (bar.drawn === drawn) return;
    bar.drawn = drawn;
    fill(minus, row.contributions.filter(([, points]) => points < 0).map(piece));
    fill(plus, row.contributions.filter(([, points]) => points > 0).map(piece));
    bar.setAttribute("aria-label", words);
  }

  function update(name) {
    if (!["all", "scan", "scan_news", "status"].includes(name)) return;
    const told = store.parts.scan_news;
    const rows = store.parts.scan ?? [];
    moves = new Map((told?.moved ?? []).map(([symbol, before, now]) => [symbol, before - now]));
    if (name !== "status") showNews(news, told);
    fill(none, rows.length ? null : waiting(store.parts.status) ?? empty("No candidate yet", "The next scan ranks every symbol that passes the screens."));
    table.node.hidden = legend.hidden = table.input.hidden = !rows.length;
    fill(origin, rows.length ? label(store.parts.status?.label) : null);
    setText(note, rows.length ? `${f.count(rows.length)} candidates${told?.as_of_ns ? ` as of ${f.minute(told.as_of_ns)}` : ""}; a bar to the right adds to the score, to the left takes from it` : "");
    if (!rows.length || name === "status") return;
    scale.plus = Math.max(...rows.map((row) => side(row, 1)), 1e-9);
    scale.minus = Math.max(...rows.map((row) => side(row, -1)), 0);
    table.body.style.setProperty("--minus", `${(100 * scale.minus) / (scale.minus + scale.plus)}%`);
    const looked = rows.some((row) => Object.keys(row.second ?? {}).length);
    table.setColumns([...columns, ...Object.keys(rows[0].models ?? {}).map(modelColumn), ...(looked ? [labelled(option, rows), labelled(company, rows)] : []), made]);
    table.show(rows);
    fill(legend, order.map((factor) => el("span", {}, el("i", { class: hue(factor) }), named(factor))));
  }

  return { node, parts: ["scan", "scan_news"], update, close: () => table.close() };
}

const atrPct = (row) => (row.price && row.atr !== null ? (100 * row.atr) / row.price : null);
const isModel = (factor) => /^(return|up)_\d+$/.test(factor);
const named = (factor) => (isModel(factor) ? `models' ${f.foretold(factor).head}` : f.words(factor));

function modelColumn(target) {
  const { head, unit, title, show } = f.foretold(target);
  const value = (row) => row.models?.[target];
  return { id: target, head, unit, title, n: true, wide: true, width: "92px", value, show: (cell, row) => put(cell, show(value(row)), { why: "The models abstain on it: too little of what they look at is known." }) };
}

const option = {
  id: "option", head: "Option", title: "The contract that the closer look picked", wide: true, width: "150px",
  value: (row) => row.second?.option_score, make: () => [el("span"), el("small")],
  show(cell, { second }) {
    const [, kind] = /([CP])\d{8}$/.exec(second?.option ?? "") ?? [];
    setText(cell.firstChild, kind ? `${f.qty(second.option_strike)} ${kind === "C" ? "call" : "put"}, ${f.num(second.option_days_to_expiry, 0)} d` : f.NONE);
    setText(cell.lastChild, kind ? `delta ${f.signed(second.option_delta)}, spread ${f.num(second.option_spread_pct, 1)}%` : "");
    cell.title = [second?.option, second?.option_note].filter(Boolean).join(": ");
  },
};

const company = {
  id: "company", head: "P/E", title: "Price by a year's earnings, and what the company is worth", n: true, wide: true, width: "74px",
  value: (row) => row.second?.pe_ratio, make: () => [el("span"), el("small")],
  show(cell, { second }) {
    setText(cell.firstChild, f.num(second?.pe_ratio, 1));
    setText(cell.lastChild, f.missing(second?.market_cap_usd) ? "" : `$${f.compact(second.market_cap_usd)}`);
    cell.title = second?.company_note ?? "";
  },
};

/** A column of the closer look with where its numbers come from: the notes of its rows say it. */
function labelled(column, rows) {
  const made = rows.some((row) => /\bsimulated\b/.test(row.second?.[`${column.id}_note`] ?? ""));
  return { ...column, unit: made ? "simulated" : "" };
}

const side = (row, sign) => row.contributions.reduce((sum, [, points]) => sum + Math.max(0, sign * points), 0);

/** What is to be said of the last scan, a sentence each. */
function showNews(list, told) {
  const lines = newsOf(told).map((line) => el("li", {}, line));
  const missing = Object.entries(told?.look_missing ?? {});
  const open = list.querySelector("details")?.open ?? false;
  const answers = missing.reduce((sum, [, n]) => sum + n, 0);
  const details = answers ? el("li", {}, el("details", { open }, el("summary", {}, `The closer look lacks ${f.count(answers)} ${answers === 1 ? "answer" : "answers"}`), missing.map(([reason, n]) => el("p", {}, `${f.count(n)}: ${reason}`)))) : null;
  fill(list, lines, details);
}

function newsOf(told) {
  if (!told?.as_of_ns) return [];
  const left = Object.entries(told.excluded).map(([kind, count]) => `${f.count(count)} ${f.words(kind)}`);
  return [
    `${f.count(told.scored)} symbols ranked${left.length ? `; left out: ${left.join(", ")}` : ""}${told.abstained ? `; the models abstain on ${f.count(told.abstained)}` : ""}`,
    told.new.length ? `New: ${told.new.join(", ")}` : "",
    told.dropped.length ? `Gone: ${told.dropped.join(", ")}` : "",
    told.left_out.length ? `Partial: the time budget left out ${told.left_out.join(", ")}` : "",
    ...told.notes.map(plainly),
  ].filter(Boolean);
}

/** A note with the models' targets called as the table's heads call them. */
const plainly = (note) => note.replace(/\b(return|up)_\d+\b/g, (target) => f.foretold(target).head);
