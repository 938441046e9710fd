// Elements from values. Text from the world goes in as text nodes only: nothing here ever parses HTML.

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
    else if (name === "style") for (const [key, to] of Object.entries(value)) node.style.setProperty(key, to);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function fill(parent, ...children) {
  parent.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return parent;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const rowsOf = new WeakMap(); // parent -> key -> child

/** Keep one child per item, by key and in order, so that focus, hover and transitions survive an update. */
export function keyed(parent, items, key, make, update) {
  if (!rowsOf.has(parent)) rowsOf.set(parent, new Map());
  const kept = rowsOf.get(parent);
  const seen = new Set();
  let before = null;
  for (const item of items) {
    const name = key(item);
    seen.add(name);
    let node = kept.get(name);
    if (!node) {
      node = make(item);
      kept.set(name, node);
    }
    update(node, item);
    const place = before ? before.nextSibling : parent.firstChild;
    if (node !== place) parent.insertBefore(node, place);
    before = node;
  }
  for (const [name, node] of kept) {
    if (!seen.has(name)) {
      node.remove();
      kept.delete(name);
    }
  }
}

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Call `run` when the colour scheme changes; returns how to stop. */
export function onTheme(run) {
  const query = matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", run);
  return () => query.removeEventListener("change", run);
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
