// Elements of the page. Texts are set as texts, never as HTML: names of routes and toxics may have any character.

export const byId = (id) => document.getElementById(id);

// An element with attributes and children, which are elements or texts. A function is a listener for the event of its name.
export function element(name, attributes = {}, ...children) {
  const created = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") created.addEventListener(key, value);
    else if (value === true) created.setAttribute(key, "");
    else if (value !== false && value !== undefined) created.setAttribute(key, value);
  }
  created.append(...children);
  return created;
}

export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

// Shows these children in this order. Those that stay keep their state, and the focus stays where it is.
export function setChildren(parent, children) {
  const isSame = parent.childElementCount === children.length && children.every((child, at) => parent.children[at] === child);
  if (isSame) return;
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  parent.replaceChildren(...children);
  if (focused?.isConnected) focused.focus({ preventScroll: true });
}

// Keeps one element for each key: `create` makes a new one, and those whose keys are gone are forgotten.
export class Kept {
  #elements = new Map();

  of(keys, create) {
    const before = this.#elements;
    this.#elements = new Map(keys.map((key) => [key, before.get(key) ?? create(key)]));
    return [...this.#elements.values()];
  }
}

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 40;

// A plot of one value over time, with its name and its last value.
export class Plot {
  #line = document.createElementNS(SVG, "polyline");
  #value = element("span");
  #svg = document.createElementNS(SVG, "svg");

  constructor(name, className) {
    this.name = name;
    this.#svg.setAttribute("role", "img");
    this.#svg.setAttribute("preserveAspectRatio", "none");
    this.#svg.append(this.#line);
    this.figure = element("figure", { class: className }, element("figcaption", {}, element("span", {}, name), this.#value), this.#svg);
  }

  // `points` are the last values, one for each second; `width` is how many fit.
  show(points, width, label) {
    const most = Math.max(1, ...points);
    const y = (value) => (HEIGHT - 1 - (value / most) * (HEIGHT - 2)).toFixed(1);
    this.#svg.setAttribute("viewBox", `0 0 ${width - 1} ${HEIGHT}`);
    this.#line.setAttribute("points", points.map((value, at) => `${width - points.length + at},${y(value)}`).join(" "));
    const last = label(points.at(-1) ?? 0);
    setText(this.#value, last);
    this.#svg.setAttribute("aria-label", `${this.name}: ${last} now, at most ${label(most)}`);
  }
}
