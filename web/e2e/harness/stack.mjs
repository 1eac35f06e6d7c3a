// The run's environment; crates/e2e/tests/it/browser.rs sets it.

/** @param {string} name */
function variable(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run \`cargo test --package e2e --test it browser::\``);
  return value;
}

export const stack = {
  /** The one origin: page, API and sockets. */
  webUrl: variable('CALWIRE_WEB_URL'),
  /** calendar-api, without the front. */
  apiUrl: variable('CALWIRE_API_URL'),
  /** Centrifugo, without the front. */
  wsUrl: variable('CALWIRE_WS_URL'),
  emulatorUrl: variable('CALWIRE_EMULATOR_URL'),
  centrifugoApiUrl: variable('CALWIRE_CENTRIFUGO_API_URL'),
  centrifugoApiKey: variable('CALWIRE_CENTRIFUGO_API_KEY'),
  controlUrl: variable('CALWIRE_CONTROL_URL'),
  chromium: variable('CHROMIUM_BIN'),
};

/**
 * Sends a JSON request to a program of the stack. Any status but a 2xx is an error that quotes the answer.
 *
 * @param {string} method
 * @param {string} url
 * @param {{ body?: unknown, headers?: Record<string, string> }} [options]
 * @returns {Promise<any>} nothing for an empty answer
 */
export async function request(method, url, { body, headers = {} } = {}) {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}
