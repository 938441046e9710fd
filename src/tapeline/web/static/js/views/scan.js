// The scan: who ranks first, what made the score, who is new, and what a closer look told.

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
  const news = el("ul", { class: "news" });
  const note = el("span", { class: "note" });
  const origin = el("span");
  const node = el("section", { class: "panel wide" }, el("header", {}, el("h1", {}, "Scan"), note, origin), news, legend, el("div", { class: "scroll" }, table), none);
  const order = [];

  const hue = (factor) => {
    if (!order.includes(factor)) order.push(factor);
    return `f${order.indexOf(factor) % HUES}`;
  };

  function make(row) {
    const bar = el("div", { class: "stack" }, el("div", { class: "minus" }), el("div", { class: "plus" }));
    return el("tr", {}, el("td", { class: "n dim" }), el("td", {}, symbolLink(row.symbol)), el("td", { class: "n strong" }), el("td", { class: "n" }), el("td", { class: "n dim" }), el("td", { class: "n dim" }), el("td", { class: "made" }, bar, el("small")));
  }

  function update(name) {
    if (!["all", "scan", "scan_news", "status"].includes(name)) return;
    fill(news, newsOf(store.parts.scan_news).map((line) => el("li", {}, line)));
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
    cells[1].firstChild.title = [row.sector, row.is_new ? "new since the last scan" : ""].filter(Boolean).join("; ");
    cells[3].title = `stop ${f.num(row.stop)}, target ${f.num(row.target)}`;
    setText(cells[6].lastChild, closer(row));
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

  return { node, parts: ["scan", "scan_news"], update };
}

/** What is to be said of the last scan, a sentence each. */
function newsOf(told) {
  if (!told?.as_of_ns) return [];
  const left = Object.entries(told.excluded).map(([kind, count]) => `${count} ${f.words(kind)}`);
  return [
    `${told.scored} symbols ranked${left.length ? `; left out: ${left.join(", ")}` : ""}${told.abstained ? `; the models abstain on ${told.abstained}` : ""}`,
    told.new.length ? `New: ${told.new.join(", ")}` : "",
    told.dropped.length ? `Gone: ${told.dropped.join(", ")}` : "",
    told.left_out.length ? `Partial: the time budget left out ${told.left_out.join(", ")}` : "",
    ...told.notes,
    ...Object.entries(told.look_missing).map(([reason, count]) => `${count} without an answer: ${reason}`),
  ].filter(Boolean);
}

/** What models, options and the company say of one row, in a line. */
function closer(row) {
  const models = Object.entries(row.models ?? {}).map(([name, value]) => `${f.words(name)} ${f.signed(value, 2)}`);
  const { option, option_note: note, pe_ratio: pe, market_cap_usd: cap } = row.second ?? {};
  const company = "company_note" in (row.second ?? {}) ? `P/E ${f.num(pe, 1)}, ${f.compact(cap)} USD` : "";
  return [models.join(", "), note ? `${option ?? "no option"}: ${note}` : "", company].filter(Boolean).join(" · ");
}

const side = (row, sign) => row.contributions.reduce((sum, [, points]) => sum + Math.max(0, sign * points), 0);
