// A table that is sorted by its heads, narrowed by a word, and draws only the rows that are seen.
// In: columns and rows. Out: a node. A column is {id, head, unit, title, n, low, wide, width, value(row), make(), show(cell, row)}.

import { look, address, remember, remembered } from "./address.js";
import { el, setText } from "./dom.js";

const MANY = 150; // rows, from which on only those that are seen are drawn
const SPARE = 8; // rows beyond the seen ones
const ROW_PX = 29; // as the style sheet has it for many

const order = (a, b) => (typeof a === "string" || typeof b === "string" ? String(a).localeCompare(String(b)) : a - b);
const known = (x) => x !== null && x !== undefined && !Number.isNaN(x) && x !== "";

export class DataTable {
  /** `sort` is how it is sorted at first: a column's id, with '-' before it for the largest first. */
  constructor({ caption, columns, key, sort, text, kind = "" }) {
    Object.assign(this, { key, text, columns, first: sort, rows: [], shown: [], nodes: new Map(), drawing: 0 });
    const { sort: asked = sort, find = "" } = address().query;
    [this.sort, this.find] = [asked, find];
    this.head = el("tr");
    this.body = el("tbody");
    this.gaps = [0, 1].map(() => el("tbody", { "aria-hidden": "true" }, el("tr", {}, el("td"))));
    this.table = el("table", { class: kind, "aria-label": caption }, el("thead", {}, this.head), this.gaps[0], this.body, this.gaps[1]);
    this.node = el("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: 0, on: { scroll: () => this.scrolled() } }, this.table);
    this.input = el("input", { type: "search", class: "find", placeholder: "Filter", "aria-label": `Filter ${caption}`, value: find, maxlength: 40, spellcheck: "false", autocomplete: "off", on: { input: () => this.narrow() } });
    this.tally = el("span", { class: "note", role: "status" });
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.node);
    this.showHead();
  }

  close() {
    this.watch.disconnect();
  }

  /** Show other columns, when they are others. */
  setColumns(columns) {
    const names = (list) => list.map(({ id, unit }) => `${id} ${unit}`).join();
    if (names(columns) === names(this.columns)) return;
    this.columns = columns;
    this.nodes.clear();
    this.body.replaceChildren();
    this.showHead();
  }

  showHead() {
    this.head.replaceChildren(...this.columns.map((column) => {
      const words = [column.head, column.unit ? el("small", {}, column.unit) : null];
      const press = column.value ? el("button", { type: "button", title: column.title, on: { click: () => this.turn(column) } }, words) : words;
      return el("th", { scope: "col", class: this.kinds(column), style: column.width ? { width: column.width } : {} }, press);
    }));
    this.markHead();
  }

  markHead() {
    this.columns.forEach(({ id, value }, at) => {
      if (!value) return;
      const way = this.sort === id ? "ascending" : this.sort === `-${id}` ? "descending" : "none";
      this.head.children[at].setAttribute("aria-sort", way);
    });
  }

  kinds = ({ n, wide, kind }) => [n ? "n" : "", wide ? "wide" : "", kind ?? ""].filter(Boolean).join(" ");

  turn({ id, n, low }) {
    const [first, second] = n && !low ? [`-${id}`, id] : [id, `-${id}`]; // of numbers, the largest are asked for first
    this.sort = this.sort === first ? second : first;
    look({ sort: this.sort === this.first ? "" : this.sort });
    this.markHead();
    this.show(this.rows);
  }

  narrow() {
    this.find = this.input.value.trim();
    look({ find: this.find });
    this.node.scrollTop = 0;
    this.show(this.rows);
  }

  scrolled() {
    this.draw();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.node.isConnected && remember({ top: this.node.scrollTop }), 150);
  }

  show(rows) {
    this.rows = rows;
    this.drawing += 1; // what is on show may read otherwise now
    const asked = this.find.toLowerCase();
    const kept = asked ? rows.filter((row) => this.text(row).toLowerCase().includes(asked)) : rows;
    this.shown = this.sorted(kept);
    setText(this.tally, asked ? `${kept.length.toLocaleString("en-US")} of ${rows.length.toLocaleString("en-US")} shown` : "");
    this.node.classList.toggle("many", this.shown.length > MANY);
    this.table.setAttribute("aria-rowcount", String(this.shown.length + 1));
    this.draw();
    if (this.placed || !this.node.isConnected || !rows.length) return;
    this.placed = true;
    this.node.scrollTop = remembered().top ?? 0;
  }

  sorted(rows) {
    const down = this.sort.startsWith("-");
    const column = this.columns.find(({ id, value }) => value && id === this.sort.replace(/^-/, ""));
    if (!column) return rows; // an address may name what is not there, or not yet
    const valued = rows.map((row, at) => [column.value(row), at, row]);
    return valued.sort(([a, i], [b, j]) => {
      if (!known(a) || !known(b)) return known(b) - known(a) || i - j; // what is missing comes last, either way
      return (down ? order(b, a) : order(a, b)) || i - j;
    }).map(([, , row]) => row);
  }

  draw() {
    const [all, many] = [this.shown.length, this.shown.length > MANY];
    const from = many ? Math.max(0, Math.min(Math.floor(this.node.scrollTop / ROW_PX), all - 1) - SPARE) : 0;
    const to = many ? Math.min(all, from + Math.ceil(this.node.clientHeight / ROW_PX) + 2 * SPARE) : all;
    [from, all - to].forEach((rows, at) => {
      this.gaps[at].hidden = !rows;
      this.gaps[at].firstChild.firstChild.style.height = `${rows * ROW_PX}px`;
    });
    this.place(from, to);
  }

  /** Show the rows `from` to `to`: a row keeps its node while it is seen, and those that left serve who came. */
  place(from, to) {
    const seen = this.shown.slice(from, to);
    const keys = new Set(seen.map(this.key));
    const free = [...this.nodes].filter(([key]) => !keys.has(key));
    for (const [key, node] of free) {
      node.remove();
      this.nodes.delete(key);
    }
    let next = this.body.firstChild;
    seen.forEach((row, at) => {
      const key = this.key(row);
      let node = this.nodes.get(key);
      if (!node) {
        node = free.pop()?.[1] ?? this.makeRow();
        node.drawn = 0;
        this.nodes.set(key, node);
      }
      if (node === next) next = next.nextSibling;
      else this.body.insertBefore(node, next);
      this.showRow(node, row, from + at);
    });
  }

  showRow(node, row, nth) {
    if (node.nth !== nth) node.setAttribute("aria-rowindex", String(nth + 2)); // counted from one, after the heads
    node.nth = nth;
    if (node.drawn === this.drawing) return;
    node.drawn = this.drawing;
    this.columns.forEach((column, at) => column.show(node.children[at], row));
  }

  makeRow() {
    return el("tr", {}, this.columns.map((column) => {
      const props = { class: this.kinds(column) };
      return column.rowHead ? el("th", { ...props, scope: "row" }, column.make?.()) : el("td", props, column.make?.());
    }));
  }
}

/** Lead a link to a symbol, or to another than before. */
export function showLink(link, symbol) {
  if (link.textContent === symbol) return;
  link.textContent = symbol;
  link.setAttribute("href", `#/symbol/${encodeURIComponent(symbol)}`);
}

/** Write a number into a cell; a missing one is a dash that says why when it is pointed at. */
export function put(cell, text, { why = "", title = "" } = {}) {
  setText(cell, text);
  const told = text === "—" ? why : title;
  if (cell.title !== told) cell.title = told;
}
