// The table of live connections: sorted, filtered, and ended one by one.

import { request } from "./api.js";
import { byId, element, Kept, setChildren, setText } from "./elements.js";
import { bytes, duration } from "./units.js";

// A page with thousands of rows is slow.
const STEP = 100;

const COLUMNS = [
  { key: "id", name: "id", isNumber: true, text: String },
  { key: "route", name: "route", text: String },
  { key: "client", name: "client", text: String },
  { key: "ageMs", name: "age", isNumber: true, text: duration },
  { key: "bytesUp", name: "up", isNumber: true, text: bytes },
  { key: "bytesDown", name: "down", isNumber: true, text: bytes },
  { key: "toxics", name: "toxics", text: (toxics) => toxics.join(", ") },
  { key: "state", name: "state", text: String },
];

const kept = new Kept();
let listed = [];
let most = STEP;
let order = { column: COLUMNS[0], sign: -1 };
let refresh = () => {};

export function showConnections(connections, refreshed) {
  [listed, refresh] = [connections, refreshed];
  show();
}

function show() {
  const filter = byId("filter").value.trim().toLowerCase();
  const found = listed.filter((connection) => matches(connection, filter)).sort(compare);
  const shown = found.slice(0, most);
  const rows = kept.of(shown.map(({ id }) => id), createRow);
  rows.forEach((row, at) => update(row, shown[at]));
  setChildren(byId("connections"), rows);
  setText(byId("count"), `${found.length === listed.length ? "" : `${found.length} of `}${listed.length} open`);
  byId("more").hidden = found.length <= most;
}

function matches({ id, route, client, state, toxics }, filter) {
  return [String(id), route, client, state, ...toxics].some((text) => text.toLowerCase().includes(filter));
}

function compare(one, other) {
  const { column: { key, text, isNumber }, sign } = order;
  const difference = isNumber ? one[key] - other[key] : text(one[key]).localeCompare(text(other[key]), undefined, { numeric: true });
  return sign * difference || one.id - other.id;
}

function createRow(id) {
  const cells = COLUMNS.map(({ isNumber, key }) => element("td", { class: isNumber ? "number" : key === "toxics" && "text" }));
  const end = (name, query) => {
    const button = element("button", { type: "button", "aria-label": `${name} connection ${id}` }, name);
    button.addEventListener("click", async () => {
      button.disabled = true;
      // It may have ended by itself.
      await request("DELETE", `v1/connections/${id}${query}`).catch(() => {});
      refresh();
    });
    return button;
  };
  return element("tr", {}, ...cells, element("td", {}, end("Close", ""), " ", end("Reset", "?reset=true")));
}

function update(row, connection) {
  COLUMNS.forEach(({ key, text }, at) => setText(row.children[at], text(connection[key])));
}

function sortBy(column) {
  order = { column, sign: order.column === column ? -order.sign : 1 };
  showOrder();
  show();
}

function showOrder() {
  COLUMNS.forEach((column, at) => {
    const sort = column !== order.column ? "none" : order.sign > 0 ? "ascending" : "descending";
    byId("columns").children[at].setAttribute("aria-sort", sort);
  });
}

byId("columns").append(
  ...COLUMNS.map((column) => {
    const button = element("button", { type: "button", click: () => sortBy(column) }, column.name);
    return element("th", { scope: "col", class: column.isNumber && "number" }, button);
  }),
  element("th", { scope: "col" }, "end"),
);
showOrder();
byId("filter").addEventListener("input", show);
byId("more").addEventListener("click", () => {
  most += STEP;
  show();
});
