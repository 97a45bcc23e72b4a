// What is asked for, and how often. Each part of the page shows what it gets.

import { ApiError, events, get, setToken } from "./api.js";
import { showConnections } from "./connections.js";
import { byId, setText } from "./elements.js";
import { addEvents } from "./faults.js";
import { showRoutes } from "./routes.js";
import { showScenario } from "./scenario.js";

const SECOND = 1000;

const wait = (millis) => new Promise((done) => setTimeout(done, millis));

// Runs a task again and again.
async function repeat(task) {
  for (;;) {
    await attempt(task);
    await wait(SECOND);
  }
}

// Runs a task again and again while the page is visible. A list of many connections takes the server and the page some
// time: at most a fifth of it.
async function poll(task) {
  for (;;) {
    const began = performance.now();
    if (!document.hidden) await attempt(task);
    await wait(Math.max(SECOND, 4 * (performance.now() - began)));
  }
}

// Runs a task, and shows whether the server answers.
async function attempt(task) {
  try {
    await task();
    showState("connected", "ok");
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return askForToken();
    if (error instanceof ApiError) return showState(error.message, "lost");
    showState("connection lost, trying again", "lost");
    if (!(error instanceof TypeError || error instanceof DOMException)) console.error(error);
  }
}

function showState(text, className) {
  setText(byId("state"), text);
  byId("state").className = className;
}

// Resolves when the token is entered. All tasks that need it wait for the same dialog.
let asked = null;
function askForToken() {
  showState("needs a token", "lost");
  asked ??= new Promise((done) => {
    const dialog = byId("token");
    dialog.addEventListener("close", () => done(setToken(byId("token-value").value)), { once: true });
    dialog.showModal();
  }).finally(() => (asked = null));
  return asked;
}

// The routes as in a config file change with a generation; the counters change all the time.
let config = { routes: [] };
let generations = null;
async function refreshRoutes() {
  const [routes, scenario] = await Promise.all([get("v1/routes"), get("v1/scenario")]);
  const current = JSON.stringify(routes.map(({ name, generation, enabled }) => [name, generation, enabled]));
  if (current !== generations) {
    config = await get("v1/config");
    generations = current;
    setText(byId("seed"), String(config.seed));
  }
  showRoutes(routes, config, () => attempt(refreshRoutes));
  showScenario(scenario);
}

async function refreshConnections() {
  showConnections(await get("v1/connections"), () => attempt(refreshConnections));
}

async function readEvents() {
  for await (const batch of events()) addEvents(batch);
}

async function copyConfig() {
  const button = byId("copy");
  const text = `${JSON.stringify(await get("v1/config"), null, 2)}\n`;
  const copied = await navigator.clipboard.writeText(text).then(() => true, () => false);
  // Only pages from this machine or by HTTPS may write to the clipboard.
  if (!copied) window.open(URL.createObjectURL(new Blob([text], { type: "application/json" })));
  setText(button, copied ? "Copied" : "Opened");
  setTimeout(() => setText(button, "Copy as config"), 2 * SECOND);
}

byId("copy").addEventListener("click", () => attempt(copyConfig));

poll(refreshRoutes);
poll(refreshConnections);
repeat(readEvents);
