// The tape map: every symbol at once, and who moves most.

import { el, fill, keyed, onTheme, setText } from "../dom.js";
import * as f from "../format.js";
import { TileMap, sectorOf } from "../tilemap.js";
import { label, panel, waiting } from "./parts.js";

const MOVERS = 7;

export function mapView(store) {
  const canvas = el("canvas", {
    tabindex: 0,
    role: "application",
    "aria-label": "Map of all symbols: area by dollar volume, colour by change. Arrow keys move from tile to tile, Enter opens one. The page Symbols has the same as a table.",
  });
  const tip = el("div", { class: "tip", role: "status", hidden: true });
  const over = el("div", { class: "over" });
  const breadth = el("div", { class: "breadth" });
  const sectors = el("ul", { class: "sectors" });
  const falls = el("ol", { class: "movers" });
  const rises = el("ol", { class: "movers" });
  const where = el("span", { class: "label" });
  const [least, most] = [el("span"), el("span")];
  const legend = el("div", { class: "legend" }, least, el("i"), most, el("small", {}, "since the previous close; area grows with the square root of today's dollar volume"), where);
  const rail = el("aside", { class: "rail" }, panel("Breadth", "symbols", breadth), panel("Sectors", "change, by dollar volume", sectors),
    panel("Falling most", "price and change", falls), panel("Rising most", "price and change", rises));
  const node = el("div", { class: "mapview" }, el("h1", { class: "quiet" }, "Tape map"), el("div", { class: "mapbox" }, canvas, tip, over, legend), rail);
  let only = null;

  const map = new TileMap(canvas, hover, (tile) => (location.hash = `#/symbol/${encodeURIComponent(tile.symbol)}`));
  const stop = onTheme(() => map.theme());

  function hover(tile, x, y) {
    tip.hidden = !tile;
    if (!tile) return;
    fill(tip, el("b", {}, tile.symbol), el("span", {}, sectorOf(tile)),
      el("span", { class: `big ${f.direction(tile.change_pct)}` }, f.pct(tile.change_pct)),
      el("span", {}, tile.price === null ? "has not traded today" : `${f.dollars(tile.price)} · $${f.compact(tile.dollar_volume)} traded`), label(tile.label));
    const left = x > canvas.clientWidth / 2;
    tip.style.setProperty("left", left ? "auto" : `${x + 14}px`);
    tip.style.setProperty("right", left ? `${canvas.clientWidth - x + 14}px` : "auto");
    tip.style.setProperty("top", `${Math.max(4, Math.min(y, canvas.clientHeight - 110))}px`);
  }

  function showBreadth(tiles) {
    const known = tiles.filter((tile) => tile.change_pct !== null);
    const up = known.filter((tile) => tile.change_pct > 0).length;
    const down = known.filter((tile) => tile.change_pct < 0).length;
    const parts = [["down", down, "falling"], ["flat", known.length - up - down, "unchanged"], ["up", up, "rising"]];
    if (tiles.length > known.length) parts.push(["none", tiles.length - known.length, "no price yet"]);
    const bar = el("div", { class: "bar", "aria-hidden": "true" }, parts.map(([kind, n]) => el("i", { class: kind, style: { flex: String(n) } })));
    fill(breadth, bar, el("p", {}, parts.map(([kind, n, word]) => el("span", {}, el("b", { class: kind }, f.count(n)), ` ${word}`))));
  }

  function showSectors(tiles) {
    const groups = new Map();
    for (const tile of tiles) {
      const sector = sectorOf(tile);
      const group = groups.get(sector) ?? { name: sector, volume: 0, moved: 0, weight: 0 };
      groups.set(sector, group);
      group.volume += tile.dollar_volume ?? 0;
      if (tile.change_pct === null) continue;
      const weight = Math.sqrt(Math.max(tile.dollar_volume ?? 0, 1e4));
      group.moved += weight * tile.change_pct;
      group.weight += weight;
    }
    const rows = [...groups.values()].sort((a, b) => b.volume - a.volume);
    const make = ({ name }) => {
      const pick = () => ((only = only === name ? null : name), update("market"));
      return el("li", {}, el("button", { type: "button", title: "Show this sector alone", on: { click: pick } }, el("span", { class: "name", title: name }, name), el("span", { class: "spark" }, el("i")), el("span", { class: "value" })));
    };
    keyed(sectors, rows, (row) => row.name, make, (node, row) => {
      const change = row.weight ? row.moved / row.weight : null;
      const [, spark, value] = node.firstChild.children;
      node.firstChild.setAttribute("aria-pressed", String(only === row.name));
      spark.firstChild.className = f.direction(change);
      spark.firstChild.style.setProperty("--share", String(Math.min(1, Math.abs(change ?? 0) / map.fullPct)));
      value.className = `value ${f.direction(change)}`;
      setText(value, f.pct(change));
    });
  }

  function showMovers(list, moved) {
    const tiles = moved.length ? moved : [{ symbol: "" }];
    const make = ({ symbol }) => !symbol ? el("li", { class: "nobody" }, "nobody") : el("li", {}, el("a", { href: `#/symbol/${encodeURIComponent(symbol)}` }, el("b", {}, symbol), el("span", { class: "price" }), el("span", { class: "value" })));
    keyed(list, tiles, (tile) => tile.symbol, make, (node, tile) => {
      if (!tile.symbol) return;
      const [, price, value] = node.firstChild.children;
      setText(price, f.price(tile.price));
      value.className = `value ${f.direction(tile.change_pct)}`;
      setText(value, f.pct(tile.change_pct));
    });
  }

  function update(name) {
    if (!["all", "market", "status"].includes(name)) return;
    const tiles = store.parts.market ?? [];
    const wait = tiles.length ? null : waiting(store.parts.status);
    fill(over, wait);
    over.hidden = !wait;
    rail.hidden = legend.hidden = !tiles.length;
    if (name === "status") return;
    map.show(tiles, only);
    if (!tiles.length) return;
    setText(least, f.pct(-map.fullPct, 1));
    setText(most, f.pct(map.fullPct, 1));
    showBreadth(tiles);
    showSectors(tiles);
    const moved = tiles.filter((tile) => tile.change_pct !== null).sort((a, b) => a.change_pct - b.change_pct);
    showMovers(falls, moved.slice(0, MOVERS).filter((tile) => tile.change_pct < 0));
    showMovers(rises, moved.slice(-MOVERS).reverse().filter((tile) => tile.change_pct > 0));
    const labels = [...new Set(tiles.map((tile) => tile.label))];
    setText(where, labels.join(", "));
    where.title = labels.map((one) => f.LABELS[one] ?? one).join(" ");
  }

  return { node, parts: ["market"], update, close: () => (stop(), map.close()) };
}
