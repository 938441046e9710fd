// The scan: who ranks first, and which factors made the score.

import { el, fill, keyed, setText } from "../dom.js";
import * as f from "../format.js";
import { empty, label, symbolLink, waiting } from "./parts.js";

const HUES = 8;

export function scanView(store) {
  const body = el("tbody");
  const legend = el("p", { class: "factors" });
  const head = ["Rank", "Symbol", "Score", "Price", "ATR", "Age", "What made the score"];
  const table = el("table", { class: "scan" }, el("thead", {}, el("tr", {}, head.map((word, at) => el("th", { scope: "col", class: at === 1 || at === 6 ? "" : "n" }, word)))), body);
  const none = el("div");
  const note = el("span", { class: "note" });
  const origin = el("span");
  const node = el("section", { class: "panel wide" }, el("header", {}, el("h1", {}, "Scan"), note, origin), legend, el("div", { class: "scroll" }, table), none);
  const order = [];

  const hue = (factor) => {
    if (!order.includes(factor)) order.push(factor);
    return `f${order.indexOf(factor) % HUES}`;
  };

  function make(row) {
    const bar = el("div", { class: "stack" }, el("div", { class: "minus" }), el("div", { class: "plus" }));
    return el("tr", {}, el("td", { class: "n dim" }), el("td", {}, symbolLink(row.symbol)), el("td", { class: "n strong" }), el("td", { class: "n" }), el("td", { class: "n dim" }), el("td", { class: "n dim" }), el("td", { class: "made" }, bar));
  }

  function update(name) {
    if (!["all", "scan", "status"].includes(name)) return;
    const rows = store.parts.scan ?? [];
    const wait = rows.length ? null : waiting(store.parts.status) ?? empty("No candidate yet", "The next scan ranks every symbol that passes the screens.");
    fill(none, wait);
    table.hidden = legend.hidden = !rows.length;
    if (!rows.length) return;
    fill(origin, label(store.parts.status?.label));
    const widest = { plus: Math.max(...rows.map((row) => side(row, 1)), 1e-9), minus: Math.max(...rows.map((row) => side(row, -1)), 0) };
    body.style.setProperty("--minus", `${(100 * widest.minus) / (widest.minus + widest.plus)}%`);
    keyed(body, rows, (row) => row.symbol, make, (node, row) => show(node, row, widest));
    fill(legend, order.map((factor) => el("span", {}, el("i", { class: hue(factor) }), f.words(factor))));
    setText(note, `${rows.length} candidates; a bar to the right adds to the score, to the left takes from it`);
  }

  function show(node, row, widest) {
    const cells = node.children;
    setText(cells[0], String(row.rank));
    setText(cells[2], f.signed(row.score, 3));
    setText(cells[3], f.num(row.price));
    setText(cells[4], row.price ? `${f.num((100 * row.atr) / row.price, 1)}%` : f.NONE);
    setText(cells[5], f.span(row.freshness_s));
    const [minus, plus] = cells[6].firstChild.children;
    const piece = ([factor, points]) => {
      const share = Math.abs(points) / (points < 0 ? widest.minus : widest.plus);
      return el("i", { class: hue(factor), title: `${f.words(factor)} ${f.signed(points, 3)}`, style: { width: `${100 * share}%` } });
    };
    fill(minus, row.contributions.filter(([, points]) => points < 0).map(piece));
    fill(plus, row.contributions.filter(([, points]) => points > 0).map(piece));
    const words = row.contributions.map(([factor, points]) => `${f.words(factor)} ${f.signed(points, 2)}`).join(", ");
    cells[6].firstChild.setAttribute("aria-label", words);
    cells[6].firstChild.setAttribute("role", "img");
  }

  return { node, parts: ["scan"], update };
}

const side = (row, sign) => row.contributions.reduce((sum, [, points]) => sum + Math.max(0, sign * points), 0);
