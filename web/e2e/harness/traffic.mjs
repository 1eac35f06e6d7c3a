// A browser's requests and sockets, so that a test can assert that there were none.

/**
 * @typedef {{ method: string, path: string, type: string }} SentRequest
 * @typedef {{ path: string, open: boolean }} OpenedSocket
 */

/** The HTTP requests and WebSockets of a browser's pages. */
export class Traffic {
  /** @type {SentRequest[]} */
  #requests = [];
  /** @type {OpenedSocket[]} */
  #sockets = [];

  /** @param {import('playwright-core').BrowserContext} context */
  constructor(context) {
    context.on('request', (request) => {
      const { pathname, search } = new URL(request.url());
      this.#requests.push({ method: request.method(), path: pathname + search, type: request.resourceType() });
    });
    context.on('page', (page) => {
      page.on('websocket', (socket) => {
        const opened = { path: new URL(socket.url()).pathname, open: true };
        this.#sockets.push(opened);
        socket.on('close', () => (opened.open = false));
      });
    });
  }

  /** All sockets that were opened. */
  allSockets() {
    return [...this.#sockets];
  }

  /** The sockets that are open now. */
  openSockets() {
    return this.#sockets.filter((socket) => socket.open);
  }

  /** `requests()` and `sockets()` of the result are those after this call. */
  mark() {
    const [requests, sockets] = [this.#requests.length, this.#sockets.length];
    return {
      /** @param {RegExp} [path] only these */
      requests: (path = /^/) => this.#requests.slice(requests).filter((request) => path.test(request.path)),
      sockets: () => this.#sockets.slice(sockets),
    };
  }
}
