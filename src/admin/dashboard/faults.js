// The log of faults, newest first.

import { byId, element } from "./elements.js";

const KEPT = 200;

// What is shown beside the faults themselves: what is missing would mislead.
const SHOWN = ["fault injected", "scenario step failed", "log lines lost"];

// The keys with a column of their own.
const OWN = ["time", "level", "msg", "route", "conn", "fault", "client"];

const TIME = { hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 };

let waiting = [];

export function addEvents(batch) {
  const shown = batch.filter(({ msg }) => SHOWN.includes(msg));
  if (shown.length === 0) return;
  waiting = [...waiting, ...shown].slice(-KEPT);
  if (!byId("pause").checked) show();
}

function show() {
  const body = byId("faults");
  body.prepend(...waiting.reverse().map(row));
  waiting = [];
  while (body.childElementCount > KEPT) body.lastElementChild.remove();
}

function row(event) {
  const time = new Date(event.time).toLocaleTimeString([], TIME);
  const details = Object.entries(event).filter(([key]) => !OWN.includes(key)).map(([key, value]) => `${key}=${value}`);
  const cells = [time, event.route ?? "", event.conn === undefined ? "" : `#${event.conn}`, event.fault ?? event.msg];
  return element("tr", {}, ...cells.map((text) => element("td", {}, text)), element("td", { class: "text" }, details.join(" ")));
}

byId("pause").addEventListener("change", () => {
  if (!byId("pause").checked) show();
});
