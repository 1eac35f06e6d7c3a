// The environment of a run. `cargo xtask up` writes all but the tokens to target/calwire/stack.json.
//
//   CALWIRE_API_URL   calendar-api, such as http://localhost:8080
//   CALWIRE_JWT       a token of one user, who is connected (cargo xtask token --user alice)
//   CALWIRE_JWT_OTHER a token of another user
//   CALWIRE_WS_URL    Centrifugo, such as ws://localhost:8000/connection/websocket
//   CALWIRE_PUBLISH_URL, CALWIRE_PUBLISH_KEY   Centrifugo's HTTP API and its key, to publish test messages

const need = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; see tests/stack.mjs`);
  return value;
};

export const apiUrl = need("CALWIRE_API_URL").replace(/\/$/, "");
export const jwt = need("CALWIRE_JWT");
export const otherJwt = need("CALWIRE_JWT_OTHER");
export const wsUrl = need("CALWIRE_WS_URL");
export const publishUrl = need("CALWIRE_PUBLISH_URL").replace(/\/$/, "");
export const publishKey = need("CALWIRE_PUBLISH_KEY");

/** The user of a token. */
export const userOf = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString()).sub;

export const bearer = (token) => ({ authorization: `Bearer ${token}` });

/** A `fetch` that records its requests and responses. */
export const recorder = () => {
  const seen = [];
  const fetcher = async (input, init) => {
    const response = await fetch(input, init);
    seen.push({ url: String(input.url ?? input), method: init?.method ?? input.method ?? "GET", response: response.clone() });
    return response;
  };
  return { seen, fetcher };
};
