// The emulator as its clients see it (Calendar v3) and its admin API.

const CALENDAR = "/calendar/v3";
const ADMIN = "/_emulator";

/** An answer that was not a success: `status`, Google's `reason` and a message for people. */
export class ApiError extends Error {
  constructor(status, reason, message) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

async function call(method, url, { body, headers } = {}) {
  const response = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
    credentials: "omit",
  });
  if (response.status === 204) return null;
  const text = await response.text();
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    throw new ApiError(response.status, "unreadable", `Answer ${response.status} is not JSON`);
  }
  if (response.ok) return answer;
  const error = answer?.error ?? {};
  throw new ApiError(response.status, error.errors?.[0]?.reason, error.message ?? `Answer ${response.status}`);
}

export const admin = {
  users: () => call("GET", `${ADMIN}/users`),
  /** `{ revision, now }`: the revision counts the emulator's writes. */
  state: () => call("GET", `${ADMIN}/state`),
  pushes: (user) => call("GET", `${ADMIN}/pushes?limit=30&user=${encodeURIComponent(user)}`),
  faults: () => call("GET", `${ADMIN}/faults`),
  addFault: (fault) => call("POST", `${ADMIN}/faults`, { body: fault }),
  removeFault: (id) => call("DELETE", `${ADMIN}/faults/${encodeURIComponent(id)}`),
  revoke: (user) => call("POST", `${ADMIN}/revoke`, { body: { user } }),
};

/** The page looks on: its calls meet no faults, count for no quota and stand in no log. */
const BYSTANDER = { "x-emulator-bystander": "page" };

/** Calendar v3 for one account. */
export class Calendar {
  #user;
  #token = null;

  constructor(user) {
    this.#user = user;
  }

  async #call(method, path, parameters = {}, options = {}) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== undefined && value !== null) query.set(name, value);
    }
    const url = `${CALENDAR}${path}${query.size ? `?${query}` : ""}`;
    for (const attempt of [1, 2]) {
      this.#token ??= await this.#newToken();
      try {
        const headers = { ...BYSTANDER, ...options.headers, authorization: `Bearer ${this.#token}` };
        return await call(method, url, { ...options, headers });
      } catch (error) {
        // Expired, or revoked by the button beside: take a new one, once.
        if (error.status !== 401 || attempt === 2) throw error;
        this.#token = null;
      }
    }
    return null;
  }

  async #newToken() {
    const scopes = ["https://www.googleapis.com/auth/calendar"];
    const answer = await call("POST", `${ADMIN}/tokens`, { body: { user: this.#user, scopes, refresh: false } });
    return answer.access_token;
  }

  async #all(path, parameters) {
    const items = [];
    let pageToken;
    do {
      const page = await this.#call("GET", path, { ...parameters, pageToken });
      items.push(...(page.items ?? []));
      pageToken = page.nextPageToken;
    } while (pageToken);
    return items;
  }

  calendars() {
    return this.#all("/users/me/calendarList", { maxResults: 250 });
  }

  colors() {
    return this.#call("GET", "/colors");
  }

  /** Events and instances of the days `[from, to)` in UTC, with times written in `zone`. */
  events(calendar, from, to, zone) {
    return this.#all(`/calendars/${encodeURIComponent(calendar)}/events`, {
      singleEvents: true, orderBy: "startTime", maxResults: 2500, timeZone: zone,
      timeMin: `${from}T00:00:00Z`, timeMax: `${to}T00:00:00Z`,
    });
  }

  event(calendar, id, zone) {
    return this.#call("GET", eventPath(calendar, id), { timeZone: zone });
  }

  insert(calendar, body) {
    return this.#call("POST", `/calendars/${encodeURIComponent(calendar)}/events`, { conferenceDataVersion: 1 }, { body });
  }

  /** Fails with 412 when the event is no longer the one `etag` names. */
  patch(calendar, id, body, etag) {
    const headers = etag ? { "if-match": etag } : {};
    return this.#call("PATCH", eventPath(calendar, id), { conferenceDataVersion: 1 }, { body, headers });
  }

  /** Gives a whole event to another calendar of the account. */
  move(calendar, id, destination) {
    return this.#call("POST", `${eventPath(calendar, id)}/move`, { destination });
  }

  remove(calendar, id) {
    return this.#call("DELETE", eventPath(calendar, id));
  }
}

const eventPath = (calendar, id) => `/calendars/${encodeURIComponent(calendar)}/events/${encodeURIComponent(id)}`;
