// The address after '#': a view, its argument, and how its table is sorted and narrowed. In: location. Out: the same.
// What only changes the look of a view replaces the entry of the history, so that "back" leaves the view.

/** What an address means; a '%' that begins no code stands for itself. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function address() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, argument] = path.split("/").map(decoded);
  return { name, argument, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** Keep how a view is looked at in its address; an empty value leaves it. */
export function look(query) {
  const said = Object.entries({ ...address().query, ...query }).filter(([, value]) => value);
  const text = new URLSearchParams(said).toString();
  const path = (location.hash || "#/map").split("?")[0];
  history.replaceState(history.state, "", text ? `${path}?${text}` : path);
}

/** Keep a place of this entry of the history, e.g. how far it is scrolled. */
export const remember = (places) => history.replaceState({ ...history.state, ...places }, "");

/** What was remembered of this entry; nothing for one that is new. */
export const remembered = () => history.state ?? {};
