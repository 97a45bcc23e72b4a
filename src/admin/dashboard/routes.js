// A card for each route: its state, its traffic, and its toxics.

import { request, toxicPath } from "./api.js";
import { byId, element, Kept, Plot, setChildren, setText } from "./elements.js";
import { editToxic } from "./toxic_form.js";
import { bytes } from "./units.js";

// The plots show at least a minute and at most five, with a value for each second.
const [NARROW, WIDE] = [60, 300];

const rate = (value) => `${bytes(value)}/s`;

const cards = new Kept();
const cardOf = new Map();

// `routes` have the counters, `config` is the same as a config file.
export function showRoutes(routes, config, refresh) {
  const elements = cards.of(routes.map(({ name }) => name), (name) => {
    cardOf.set(name, new Card(name));
    return cardOf.get(name).element;
  });
  for (const status of routes) {
    const configured = config.routes.find(({ name }) => name === status.name);
    cardOf.get(status.name).show(status, configured, refresh);
  }
  setChildren(byId("routes"), elements);
}

class Card {
  #state = element("span");
  #address = element("p", { class: "address" });
  #switch = element("button", { type: "button", click: () => this.#toggle() });
  #numbers = new Map(["open", "accepted", "dropped", "failed dials"].map((name) => [name, element("dd")]));
  #up = new Plot("to the upstream", "up");
  #down = new Plot("to the clients", "down");
  #rates = { up: [], down: [] };
  #last = null;
  #toxics = element("tbody");
  #none = element("p", { class: "empty" }, "no toxics");
  #rows = new Kept();
  #error = element("p", { role: "alert" });

  constructor(name) {
    this.name = name;
    const counts = [...this.#numbers].map(([term, value]) => element("div", {}, element("dt", {}, term), value));
    const head = ["toxic", "stream", "acts", ""].map((title) => element("th", { scope: "col" }, title));
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), this.#toxics);
    this.table = element("div", { class: "wide", tabindex: "0", role: "group", "aria-label": `toxics of ${name}` }, table);
    this.element = element(
      "article",
      { class: "card", "aria-label": `route ${name}` },
      element("header", {}, element("h3", {}, name), this.#state, this.#switch),
      this.#address,
      element("dl", {}, ...counts),
      this.#up.figure,
      this.#down.figure,
      this.#none,
      this.table,
      element("p", {}, this.#button("Add toxic", "to", () => this.#edit(null))),
      this.#error,
    );
  }

  show(status, configured, refresh) {
    [this.status, this.configured, this.refresh] = [status, configured, refresh];
    setText(this.#state, status.enabled ? "enabled" : "disabled");
    this.#state.className = status.enabled ? "good" : "bad";
    setText(this.#switch, status.enabled ? "Disable" : "Enable");
    this.#switch.setAttribute("aria-label", `${this.#switch.textContent} ${this.name}`);
    setText(this.#address, `${status.listen} → ${status.upstream}${faultsOf(configured)}`);
    const counts = [status.active, status.accepted, status.dropped, status.failedDials];
    [...this.#numbers.values()].forEach((number, at) => setText(number, counts[at].toLocaleString("en")));
    this.#addRates(status);
    this.#showToxics(configured?.toxics ?? [], status.faults);
  }

  // Counters of bytes become rates. Two refreshes may be close together, after a change.
  #addRates({ bytesUp, bytesDown }) {
    const now = performance.now();
    const [last, seconds] = [this.#last, this.#last && (now - this.#last.now) / 1000];
    if (last !== null && seconds < 0.5) return;
    this.#last = { now, bytesUp, bytesDown };
    if (last === null) return;
    const add = (rates, more) => rates.push(more / seconds) > WIDE && rates.shift();
    add(this.#rates.up, bytesUp - last.bytesUp);
    add(this.#rates.down, bytesDown - last.bytesDown);
    const width = Math.max(this.#rates.up.length, NARROW);
    this.#up.show(this.#rates.up, width, rate);
    this.#down.show(this.#rates.down, width, rate);
  }

  #showToxics(toxics, faults) {
    this.#none.hidden = toxics.length > 0;
    this.table.hidden = toxics.length === 0;
    const rows = this.#rows.of(toxics.map(({ name }) => name), (name) => this.#toxicRow(name));
    rows.forEach((row, at) => {
      const { name, type, stream, attributes } = toxics[at];
      const acts = faults.find((it) => it.toxic === name && it.type === type)?.acts ?? 0;
      setText(row.children[0].lastElementChild, settingsOf(type, attributes));
      setText(row.children[1], stream);
      setText(row.children[2], acts.toLocaleString("en"));
    });
    setChildren(this.#toxics, rows);
  }

  #toxicRow(name) {
    const change = () => this.#edit(this.configured.toxics.find((toxic) => toxic.name === name));
    const remove = () => this.#change("DELETE", toxicPath(this.name, name));
    const buttons = [this.#button("Change", name, change), " ", this.#button("Remove", name, remove)];
    return element("tr", {}, element("td", { class: "text" }, name, element("br"), element("small")), element("td"), element("td"), element("td", {}, ...buttons));
  }

  #button(name, what, click) {
    const label = what === "to" ? `${name} to ${this.name}` : `${name} ${what} of ${this.name}`;
    return element("button", { type: "button", "aria-label": label, click }, name);
  }

  #edit(toxic) {
    setText(this.#error, "");
    editToxic(this.configured, toxic, this.refresh).catch((error) => setText(this.#error, error.message));
  }

  #toggle() {
    return this.#change("POST", `proxies/${encodeURIComponent(this.name)}`, { enabled: !this.status.enabled });
  }

  async #change(method, path, body) {
    setText(this.#error, "");
    await request(method, path, body).catch((error) => setText(this.#error, error.message));
    await this.refresh();
  }
}

// The type of a toxic, and its attributes that are not off.
function settingsOf(type, attributes = {}) {
  const set = Object.entries(attributes).filter(([, value]) => value);
  return [type, ...set.map(([key, value]) => `${key} ${value}`)].join(", ");
}

// The faults of the route itself.
function faultsOf({ dropRate = 0, dropMode, latencyMs = 0 } = {}) {
  const drops = dropRate > 0 ? `, drops ${+(dropRate * 100).toFixed(3)} % (${dropMode})` : "";
  return `${drops}${latencyMs > 0 ? `, latency ${latencyMs} ms` : ""}`;
}
