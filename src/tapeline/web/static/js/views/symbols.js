// The market as a table: every symbol with its price, its change and what was traded of it.

import { el, fill, setText } from "../dom.js";
import * as f from "../format.js";
import { DataTable, put, showLink } from "../table.js";
import { sectorOf } from "../tilemap.js";
import { label, symbolLink, waiting } from "./parts.js";

const SILENT = "It has not traded today, as far as is known.";

const COLUMNS = [
  { id: "symbol", head: "Symbol", rowHead: true, width: "92px", value: (row) => row.symbol, make: () => symbolLink(""), show: (cell, row) => showLink(cell.firstChild, row.symbol) },
  { id: "name", head: "Company", wide: true, value: (row) => row.name, show: (cell, row) => put(cell, row.name || f.NONE, { why: "The vendor does not name it.", title: row.name }) },
  { id: "sector", head: "Sector", wide: true, width: "210px", kind: "dim", value: (row) => row.sector, show: (cell, row) => put(cell, row.sector || f.NONE, { why: "Its sector is not known." }) },
  { id: "price", head: "Price", unit: "$", n: true, width: "104px", value: (row) => row.price, show: (cell, row) => put(cell, f.price(row.price), { why: SILENT }) },
  { id: "change", head: "Change", unit: "%", title: "Since the previous close", n: true, width: "96px", value: (row) => row.change_pct, show: showChange },
  { id: "traded", head: "Traded", unit: "$ today", title: "Price times shares since the open", n: true, width: "104px", value: (row) => row.dollar_volume, show: (cell, row) => put(cell, f.compact(row.dollar_volume), { why: SILENT, title: f.money(row.dollar_volume, 0) }) },
  { id: "data", head: "Data", title: "Where its numbers come from", wide: true, width: "110px", value: (row) => row.label, show: showLabel },
];

export function symbolsView(store) {
  const none = el("div");
  const note = el("span", { class: "note" });
  const origin = el("span");
  const text = (row) => `${row.symbol} ${row.name} ${sectorOf(row)}`;
  const table = new DataTable({ caption: "All symbols", kind: "symbols", columns: COLUMNS, key: (row) => row.symbol, sort: "-traded", text });
  const node = el("section", { class: "panel wide" }, el("header", {}, el("h1", {}, "Symbols"), note, table.input, table.tally, origin), table.node, none);

  function update(name) {
    if (!["all", "market", "status"].includes(name)) return;
    const tiles = store.parts.market ?? [];
    fill(none, tiles.length ? null : waiting(store.parts.status));
    table.node.hidden = table.input.hidden = !tiles.length;
    if (name === "status") return;
    setText(note, tiles.length ? `${f.count(tiles.length)}, press a head to sort` : "");
    fill(origin, [...new Set(tiles.map((tile) => tile.label))].map(label));
    table.show(tiles);
  }

  return { node, parts: ["market"], update, close: () => table.close() };
}

function showChange(cell, row) {
  put(cell, f.signed(row.change_pct), { why: row.price === null ? SILENT : "Its previous close is not known." });
  const way = `n ${f.direction(row.change_pct)}`;
  if (cell.className !== way) cell.className = way;
}

function showLabel(cell, row) {
  if (cell.textContent !== row.label) fill(cell, label(row.label));
}
