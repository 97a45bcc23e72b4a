// The steps of the scenario, and where it is.

import { byId, element, setChildren, setText } from "./elements.js";
import { duration } from "./units.js";

// The most steps that are shown: those around the present one.
const SHOWN = 50;

export function showScenario({ elapsedMs, repeatMs, steps }) {
  byId("scenario").hidden = steps.length === 0;
  if (steps.length === 0) return;
  const time = repeatMs === null ? elapsedMs : elapsedMs % repeatMs;
  const next = steps.findIndex(({ atMs }) => atMs > time);
  setText(byId("scenario-time"), position(time, elapsedMs, repeatMs, steps[next]));
  const first = Math.max(0, Math.min((next < 0 ? steps.length : next) - SHOWN / 2, steps.length - SHOWN));
  const rows = steps.slice(first, first + SHOWN).map((step, at) => row(step, time, first + at === next));
  if (byId("steps").textContent !== rows.map((it) => it.textContent).join("")) setChildren(byId("steps"), rows);
}

function position(time, elapsedMs, repeatMs, next) {
  const round = repeatMs === null ? "" : `round ${Math.floor(elapsedMs / repeatMs) + 1}, `;
  const rest = next === undefined ? "no step left" : `the next step in ${duration(next.atMs - time + 999)}`;
  return `${round}${duration(time)} since it began, ${rest}`;
}

function row({ atMs, endMs, route, step }, time, isNext) {
  const state = time < atMs ? (isNext ? "next" : "later") : time < endMs ? "moving" : "done";
  return element("tr", { class: state }, ...[`${atMs / 1000} s`, route, step, state].map((text) => element("td", {}, text)));
}
