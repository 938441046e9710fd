// Squarified treemap (Bruls, Huizing, van Wijk 2000): rectangles whose area follows their weight, as square as they get.

/** Lay `weights`, which are sorted and positive, into a rectangle; calls `put(index, x, y, w, h)` for each. */
export function squarify(weights, x, y, w, h, put) {
  let total = weights.reduce((sum, weight) => sum + weight, 0);
  let from = 0;
  while (from < weights.length && w > 0 && h > 0) {
    const side = Math.min(w, h);
    const scale = (w * h) / total;
    const to = rowEnd(weights, from, side, scale);
    let sum = 0;
    for (let i = from; i < to; i += 1) sum += weights[i];
    const thick = (sum * scale) / side;
    let along = 0;
    for (let i = from; i < to; i += 1) {
      const length = (weights[i] / sum) * side;
      if (w >= h) put(i, x, y + along, thick, length);
      else put(i, x + along, y, length, thick);
      along += length;
    }
    if (w >= h) [x, w] = [x + thick, w - thick];
    else [y, h] = [y + thick, h - thick];
    total -= sum;
    from = to;
  }
}

function rowEnd(weights, from, side, scale) {
  let sum = 0;
  let worst = Infinity;
  for (let to = from; to < weights.length; to += 1) {
    sum += weights[to];
    const thick = (sum * scale) / side;
    const longest = (weights[from] * scale) / thick;
    const shortest = (weights[to] * scale) / thick;
    const now = Math.max(longest / thick, thick / longest, shortest / thick, thick / shortest);
    if (now > worst) return to;
    worst = now;
  }
  return weights.length;
}
