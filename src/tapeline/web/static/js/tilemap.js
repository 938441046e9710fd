// The canvas of the tape map: sectors of tiles, area by the square root of dollar volume, colour by change.

import { calm, colour } from "./dom.js";
import * as f from "./format.js";
import { squarify } from "./treemap.js";

const FULL_PCTS = [1, 2.5, 5, 10, 20]; // changes at which the colour may be full
const WITHIN = 0.75; // share of the tiles that the colour tells apart
const SHADES = 24;
const RELAYOUT_MS = 15_000;
const MOVE_MS = 500;
const HEAD = 17; // height of a sector's name

export const sectorOf = (tile) => tile.sector || "No sector";

const channel = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** How bright a colour is, 0 to 1, as WCAG reckons contrast. */
function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => (value <= 10 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);

/** Shades from one colour to another, each with the ink of two that is read best on it: [fill, ink]. */
function ramp(from, to, inks) {
  const [a, b] = [channel(from), channel(to)];
  const bright = inks.map((ink) => luminance(channel(ink)));
  return Array.from({ length: SHADES + 1 }, (_, i) => {
    const t = Math.pow(i / SHADES, 0.8);
    const rgb = a.map((start, at) => Math.round(start + (b[at] - start) * t));
    const [first, second] = bright.map((ink) => contrast(ink, luminance(rgb)));
    return [`rgb(${rgb.join(" ")})`, inks[first >= second ? 0 : 1]];
  });
}

/** The change at which the colour is full: a step that leaves most of the tiles below it. */
function fullScale(tiles) {
  const moves = tiles.filter((tile) => tile.change_pct !== null).map((tile) => Math.abs(tile.change_pct)).sort((a, b) => a - b);
  const usual = moves[Math.floor(moves.length * WITHIN)] ?? 0;
  return FULL_PCTS.find((step) => step >= usual) ?? FULL_PCTS.at(-1);
}

export class TileMap {
  /** `canvas` shows the tiles; `onHover(tile or null, x, y)` and `onOpen(tile)` tell what the person does. */
  constructor(canvas, onHover, onOpen) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d", { alpha: false });
    this.onHover = onHover;
    this.onOpen = onOpen;
    this.tiles = [];
    this.places = new Map(); // symbol -> [x, y, w, h], where it is drawn
    this.goals = new Map(); // symbol -> [x, y, w, h], where it goes
    this.sectors = [];
    this.only = null;
    this.chosen = null;
    this.laidOut = -Infinity;
    this.frame = 0;
    this.fullPct = FULL_PCTS[0];
    this.theme();
    canvas.addEventListener("pointermove", (event) => this.hover(event));
    canvas.addEventListener("pointerleave", () => this.choose(null));
    canvas.addEventListener("click", (event) => this.open(this.at(event.offsetX, event.offsetY)));
    canvas.addEventListener("keydown", (event) => this.key(event));
    this.watch = new ResizeObserver(() => this.layout(true));
    this.watch.observe(canvas);
  }

  close() {
    this.watch.disconnect();
    cancelAnimationFrame(this.frame);
  }

  theme() {
    this.paint = { bg: colour("bg"), none: colour("tile-none"), ink: colour("ink"), dim: colour("dim"), mark: colour("mark") };
    const inks = [colour("tile-on-deep"), colour("tile-on-flat")];
    this.ups = ramp(colour("tile-flat"), colour("tile-up"), inks);
    this.downs = ramp(colour("tile-flat"), colour("tile-down"), inks);
    this.font = getComputedStyle(document.body).fontFamily;
    this.draw();
  }

  show(tiles, only) {
    const sameShape = tiles.length === this.tiles.length && only === this.only;
    this.tiles = tiles;
    this.only = only;
    this.fullPct = fullScale(tiles);
    this.layout(!sameShape);
  }

  layout(now) {
    const { clientWidth: w, clientHeight: h } = this.canvas;
    if (!this.tiles.length) [this.places, this.goals, this.sectors, this.chosen] = [new Map(), new Map(), [], null];
    if (!w || !h || !this.tiles.length) return this.draw();
    if (!now && performance.now() - this.laidOut < RELAYOUT_MS) return this.draw();
    this.laidOut = performance.now();
    const ratio = devicePixelRatio || 1;
    [this.canvas.width, this.canvas.height] = [Math.round(w * ratio), Math.round(h * ratio)];
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const before = this.goals;
    this.goals = new Map();
    this.place(w, h);
    if (now || calm() || !before.size) this.places = new Map(this.goals);
    else this.animate();
    return this.draw();
  }

  place(w, h) {
    const groups = new Map();
    for (const tile of this.tiles) {
      const sector = sectorOf(tile);
      if (this.only && sector !== this.only) continue;
      const weight = Math.sqrt(Math.max(tile.dollar_volume ?? 0, 1e4));
      if (!groups.has(sector)) groups.set(sector, { name: sector, weight: 0, rows: [] });
      const group = groups.get(sector);
      group.weight += weight;
      group.rows.push([weight, tile]);
    }
    const sorted = [...groups.values()].sort((a, b) => b.weight - a.weight);
    this.sectors = [];
    squarify(sorted.map((group) => group.weight), 0, 0, w, h, (i, gx, gy, gw, gh) => {
      const head = gw > 60 && gh > 50 ? HEAD : 0;
      this.sectors.push({ name: sorted[i].name, x: gx, y: gy, w: gw, head });
      const rows = sorted[i].rows.sort((a, b) => b[0] - a[0]);
      const put = (at, x, y, tw, th) => this.goals.set(rows[at][1].symbol, [x, y, tw, th]);
      squarify(rows.map(([weight]) => weight), gx + 1, gy + 1 + head, gw - 3, gh - 3 - head, put);
    });
  }

  animate() {
    const from = new Map(this.places);
    const began = performance.now();
    const step = (now) => {
      const t = Math.min(1, (now - began) / MOVE_MS);
      const ease = 1 - (1 - t) ** 3;
      for (const [symbol, goal] of this.goals) {
        const start = from.get(symbol) ?? goal;
        this.places.set(symbol, goal.map((value, i) => start[i] + (value - start[i]) * ease));
      }
      this.draw();
      if (t < 1) this.frame = requestAnimationFrame(step);
    };
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(step);
  }

  draw() {
    const { pen, paint } = this;
    pen.fillStyle = paint.bg;
    pen.fillRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    pen.textBaseline = "alphabetic";
    for (const tile of this.tiles) this.drawTile(tile);
    pen.textAlign = "left";
    pen.font = `600 11px ${this.font}`;
    for (const { name, x, y, w, head } of this.sectors) {
      if (!head) continue;
      pen.fillStyle = paint.dim;
      pen.fillText(this.fit(name, w - 8), x + 3, y + 13);
    }
    if (this.chosen && this.places.has(this.chosen.symbol)) {
      const [x, y, w, h] = this.places.get(this.chosen.symbol);
      pen.strokeStyle = paint.mark;
      pen.lineWidth = 2;
      pen.strokeRect(x + 1, y + 1, w - 2, h - 2);
    }
  }

  drawTile(tile) {
    const place = this.places.get(tile.symbol);
    if (!place) return;
    const [x, y, w, h] = place;
    const change = tile.change_pct;
    const depth = change === null ? 0 : Math.min(1, Math.abs(change) / this.fullPct);
    const { pen } = this;
    const [shade, ink] = change === null ? [this.paint.none, this.paint.dim] : (change < 0 ? this.downs : this.ups)[Math.round(depth * SHADES)];
    pen.fillStyle = shade;
    pen.fillRect(x + 0.5, y + 0.5, Math.max(0.6, w - 1), Math.max(0.6, h - 1));
    if (w < 27 || h < 13) return;
    const size = Math.max(9.5, Math.min(24, w / 4.2, h / 2.6));
    pen.textAlign = "center";
    pen.fillStyle = ink;
    pen.font = `600 ${size}px ${this.font}`;
    if (pen.measureText(tile.symbol).width > w - 4) return;
    const two = h > size * 2.5 && w > 38;
    const middle = y + h / 2;
    pen.fillText(tile.symbol, x + w / 2, middle + (two ? -size * 0.02 : size * 0.36));
    if (!two) return;
    const small = Math.max(9, size * 0.66);
    pen.font = `${small}px ${this.font}`;
    pen.fillText(f.pct(change, w > 60 ? 2 : 1), x + w / 2, middle + size * 0.12 + small);
  }

  fit(text, width) {
    if (this.pen.measureText(text).width <= width) return text;
    let end = text.length;
    while (end > 1 && this.pen.measureText(`${text.slice(0, end)}…`).width > width) end -= 1;
    return `${text.slice(0, end)}…`;
  }

  at(x, y) {
    return this.tiles.find((tile) => {
      const place = this.goals.get(tile.symbol);
      return place && x >= place[0] && y >= place[1] && x < place[0] + place[2] && y < place[1] + place[3];
    });
  }

  hover(event) {
    this.choose(this.at(event.offsetX, event.offsetY) ?? null, event.offsetX, event.offsetY);
  }

  choose(tile, x, y) {
    const changed = tile?.symbol !== this.chosen?.symbol;
    this.chosen = tile;
    this.onHover(tile, x, y);
    if (changed) this.draw();
  }

  open(tile) {
    if (tile) this.onOpen(tile);
  }

  key(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === "Enter" && this.chosen) this.open(this.chosen);
    if (event.key === "Escape") this.choose(null);
    if (!ways[event.key]) return;
    event.preventDefault();
    const next = this.neighbour(ways[event.key]);
    if (!next) return;
    const [x, y, w, h] = this.goals.get(next.symbol);
    this.choose(next, x + w / 2, y + h / 2);
  }

  neighbour([dx, dy]) {
    const middle = (symbol) => {
      const [x, y, w, h] = this.goals.get(symbol);
      return [x + w / 2, y + h / 2];
    };
    const shown = this.tiles.filter((tile) => this.goals.has(tile.symbol));
    if (!this.chosen || !this.goals.has(this.chosen.symbol)) return shown[0];
    const [cx, cy] = middle(this.chosen.symbol);
    let best = null;
    let least = Infinity;
    for (const tile of shown) {
      const [x, y] = middle(tile.symbol);
      const along = (x - cx) * dx + (y - cy) * dy;
      const aside = Math.abs((x - cx) * dy) + Math.abs((y - cy) * dx);
      if (along > 1 && along + 2 * aside < least) [best, least] = [tile, along + 2 * aside];
    }
    return best;
  }
}
