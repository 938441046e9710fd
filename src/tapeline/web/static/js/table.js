// A table that is sorted by its heads, narrowed by a word, and draws only the rows that are seen.
// In: columns and rows. Out: a node. A column is {id, head, unit, title, n, low, wide, width, value(row), make(row), show(cell, row)}.

import { look, address, remember, remembered } from "./address.js";
import { el, keyed, setText } from "./dom.js";

const MANY = 150; // rows, from which on only those that are seen are drawn
const SPARE = 8; // rows beyond the seen ones
const ROW_PX = 29; // until one has been measured

const order = (a, b) => (typeof a === "string" || typeof b === "string" ? String(a).localeCompare(String(b)) : a - b);
const known = (x) => x !== null && x !== undefined && !Number.isNaN(x) && x !== "";

export class DataTable {
  /** `sort` is how it is sorted at first: a column's id, with '-' before it for the largest first. */
  constructor({ caption, columns, key, sort, text, kind = "" }) {
    Object.assign(this, { key, text, columns, first: sort, rows: [], shown: [] });
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
    if (columns.map(({ id }) => id).join() === this.columns.map(({ id }) => id).join()) return;
    this.columns = columns;
    keyed(this.body, [], this.key);
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
    const many = this.shown.length > MANY;
    const high = (many && this.body.firstElementChild?.getBoundingClientRect().height) || ROW_PX;
    const from = many ? Math.max(0, Math.min(Math.floor(this.node.scrollTop / high), this.shown.length - 1) - SPARE) : 0;
    const to = many ? Math.min(this.shown.length, from + Math.ceil(this.node.clientHeight / high) + 2 * SPARE) : this.shown.length;
    [from, this.shown.length - to].forEach((rows, at) => {
      this.gaps[at].hidden = !rows;
      this.gaps[at].firstChild.firstChild.style.height = `${rows * high}px`;
    });
    let nth = from + 1;
    keyed(this.body, this.shown.slice(from, to), this.key, (row) => this.makeRow(row), (node, row) => {
      nth += 1;
      node.setAttribute("aria-rowindex", String(nth));
      this.columns.forEach((column, at) => column.show(node.children[at], row));
    });
  }

  makeRow(row) {
    return el("tr", {}, this.columns.map((column) => {
      const props = { class: this.kinds(column) };
      return column.rowHead ? el("th", { ...props, scope: "row" }, column.make?.(row)) : el("td", props, column.make?.(row));
    }));
  }
}

/** Write a number into a cell; a missing one is a dash that says why when it is pointed at. */
export function put(cell, text, { why = "", title = "" } = {}) {
  setText(cell, text);
  const told = text === "—" ? why : title;
  if (cell.title !== told) cell.title = told;
}
