// Requests to the API of the server that the page is from. The token is kept until the tab is closed.

const TOKEN = "token";

// A server that does not answer for this long is lost.
const PATIENCE = 10_000;

// An answer that is an error, with what the server says about it.
export class ApiError extends Error {
  constructor(status, answer) {
    const problems = (answer.problems ?? []).map(({ what, hint }) => `${what}; ${hint}`);
    super(problems.length > 0 ? problems.join("\n") : (answer.error ?? `the server answers with ${status}`));
    this.status = status;
  }
}

export function setToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

export const get = (path) => request("GET", path);
export const routePath = (route) => `v1/routes/${encodeURIComponent(route)}`;
export const toxicPath = (route, toxic) => `${routePath(route)}/toxics/${encodeURIComponent(toxic)}`;

// The answer as JSON.
export async function request(method, path, body) {
  const response = await send(method, path, body, AbortSignal.timeout(PATIENCE));
  return response.status === 204 ? null : response.json();
}

// The events as they happen: an array for each piece that arrives.
export async function* events() {
  const response = await send("GET", "v1/events");
  const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { value, done } = await pieces.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    yield lines.filter((line) => line !== "").map((line) => JSON.parse(line));
  }
}

async function send(method, path, body, signal) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
  const response = await fetch(path, { method, headers, signal, cache: "no-store", body: body && JSON.stringify(body) });
  if (response.ok) return response;
  throw new ApiError(response.status, await response.json().catch(() => ({})));
}
