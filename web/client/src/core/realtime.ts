/**
 * The one socket of a user.
 *
 * It stands above React: components come and go, and in StrictMode they come twice, so it is retained and released with
 * a grace, and so is each of its subscriptions, which any number of listeners share. The constructor opens nothing.
 *
 * The SDK reconnects, resubscribes and recovers by itself. What is added here: refusals end the attempts instead of
 * repeating them, a page that wakes up looks at once, and a handler that fails costs no message: the SDK stores a
 * message's offset after the handlers return, and stops when one throws.
 */
import {
  Centrifuge,
  type PublicationContext,
  State,
  type StreamPosition,
  type Subscription,
  type SubscriptionOptions,
  SubscriptionState,
  UnauthorizedError,
} from 'centrifuge';

import { CalwireError, signedOut } from './error.js';
import type { LiveState } from './live-state.js';
import { Store } from './store.js';

/** StrictMode and route changes unmount and mount again within this time. */
const GRACE = 1_000;
/** A reconnect that takes no longer is not worth telling anybody. */
const BLINK = 1_000;
/** After so long in the background or asleep, the socket may be dead without knowing. */
const SLEPT = 30_000;
const HEARTBEAT = 10_000;

export interface RealtimeOptions {
  wsUrl: string;
  getConnectionToken: () => Promise<string>;
  /** The user's own channel, which needs no token of the application, and knows how to load what came before. */
  own: { channel: string; getToken: () => Promise<string>; getState: () => Promise<StreamPosition> };
}

export interface Listener {
  onMessage: (data: unknown, ctx: { offset?: number }) => void;
  /** Messages were missed that nobody will send again. */
  onLost?: () => void;
  getToken?: ((channel: string) => Promise<string>) | undefined;
}

export interface ChannelState {
  live: LiveState;
  error: CalwireError | null;
}

const CONNECTING: ChannelState = { live: 'connecting', error: null };

interface Channel {
  subscription: Subscription;
  listeners: Set<Listener>;
  state: Store<ChannelState>;
  wasLive: boolean;
  refusal: CalwireError | null;
  removal: ReturnType<typeof setTimeout> | undefined;
  blink: ReturnType<typeof setTimeout> | undefined;
}

export class Realtime {
  readonly #options: RealtimeOptions;
  readonly #channels = new Map<string, Channel>();
  readonly #network = new EventTarget();
  #client: Centrifuge | undefined;
  #holders = 0;
  #closing: ReturnType<typeof setTimeout> | undefined;
  #refusal: CalwireError | null = null;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #awakeAt = 0;

  constructor(options: RealtimeOptions) {
    this.#options = options;
  }

  /** Keeps the socket open until the returned function is called, and a little longer. */
  retain(): () => void {
    this.#holders += 1;
    clearTimeout(this.#closing);
    if (this.#holders === 1) this.#open();
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#holders -= 1;
      if (this.#holders === 0) this.#closing = setTimeout(() => this.close(), GRACE);
    };
  }

  /** Listens on a channel until the returned function is called. */
  listen(channel: string, listener: Listener): () => void {
    const entry = this.#channels.get(channel) ?? this.#subscribe(channel, listener);
    clearTimeout(entry.removal);
    entry.listeners.add(listener);
    return () => {
      entry.listeners.delete(listener);
      if (entry.listeners.size > 0) return;
      entry.removal = setTimeout(() => this.#remove(channel, entry), GRACE);
    };
  }

  readonly stateOf = (channel: string): ChannelState => this.#channels.get(channel)?.state.get() ?? CONNECTING;

  /** Calls back when the channel's state changes. The channel has to be listened to. */
  watch(channel: string, callback: () => void): () => void {
    return this.#channels.get(channel)?.state.subscribe(callback) ?? (() => undefined);
  }

  /** Tries again now, whatever was refused before. */
  retry(): void {
    const client = this.#client;
    if (!client || this.#holders === 0) return;
    this.#refusal = null;
    for (const entry of this.#channels.values()) {
      entry.refusal = null;
      if (entry.subscription.state === SubscriptionState.Unsubscribed) entry.subscription.subscribe();
    }
    if (client.state === State.Disconnected) client.connect();
    else if (client.state === State.Connecting) this.#wake();
    this.#tell();
  }

  /** Ends the socket and its attempts. */
  close(): void {
    clearTimeout(this.#closing);
    this.#stopListening();
    this.#client?.disconnect();
  }

  #open(): void {
    this.#listenToPage();
    this.#connection().connect();
  }

  #connection(): Centrifuge {
    if (this.#client) return this.#client;
    const client = new Centrifuge(this.#options.wsUrl, {
      name: 'calwire',
      networkEventTarget: this.#network,
      getToken: () =>
        tokenOrRefusal(this.#options.getConnectionToken, (refusal) => {
          this.#refusal = refusal;
        }),
    });
    client.on('connected', () => {
      this.#refusal = null;
    });
    client.on('disconnected', ({ code, reason }) => {
      // Code 0 is our own disconnect; 1 follows a refused token, which has told why.
      if (code > 1) this.#refusal = refused(reason);
    });
    client.on('state', () => this.#tell());
    // Attempts that fail are part of the state; without a listener the SDK would throw.
    client.on('error', () => undefined);
    this.#client = client;
    return client;
  }

  #subscribe(channel: string, first: Listener): Channel {
    const listeners = new Set<Listener>();
    const entry: Channel = {
      subscription: this.#connection().newSubscription(channel, this.#subscriptionOptions(channel, first, listeners)),
      listeners,
      state: new Store(CONNECTING),
      wasLive: false,
      refusal: null,
      removal: undefined,
      blink: undefined,
    };
    const { subscription } = entry;
    subscription.on('publication', (ctx) => deliver(listeners, ctx));
    subscription.on('subscribed', ({ wasRecovering, recovered }) => {
      entry.refusal = null;
      if (wasRecovering && !recovered) for (const { onLost } of [...listeners]) guarded(() => onLost?.());
    });
    subscription.on('unsubscribed', ({ code, reason }) => {
      if (code > 1) entry.refusal = refused(reason);
    });
    subscription.on('state', () => this.#tellOne(entry));
    subscription.on('error', () => undefined);
    this.#channels.set(channel, entry);
    subscription.subscribe();
    this.#tellOne(entry);
    return entry;
  }

  #subscriptionOptions(channel: string, first: Listener, listeners: Set<Listener>): SubscriptionOptions {
    const { own } = this.#options;
    const refuse = (refusal: CalwireError) => {
      const entry = this.#channels.get(channel);
      if (entry) entry.refusal = refusal;
    };
    if (channel === own.channel) {
      return { getToken: () => tokenOrRefusal(own.getToken, refuse), getState: own.getState };
    }
    if (!first.getToken) return {};
    const getToken = () => {
      // Whoever came last knows best; the first one may be gone.
      const ask = [...listeners].reverse().find((listener) => listener.getToken)?.getToken ?? first.getToken;
      return ask?.(channel) ?? Promise.resolve('');
    };
    return { getToken: () => tokenOrRefusal(getToken, refuse) };
  }

  #remove(channel: string, entry: Channel): void {
    clearTimeout(entry.blink);
    this.#channels.delete(channel);
    this.#client?.removeSubscription(entry.subscription);
  }

  #tell(): void {
    for (const entry of this.#channels.values()) this.#tellOne(entry);
  }

  #tellOne(entry: Channel): void {
    clearTimeout(entry.blink);
    const next = this.#judge(entry);
    if (next.live === 'live') entry.wasLive = true;
    const told = entry.state.get();
    if (told.live === 'live' && next.live === 'reconnecting') {
      entry.blink = setTimeout(() => entry.state.set(this.#judge(entry)), BLINK);
    } else if (told.live !== next.live || told.error !== next.error) {
      entry.state.set(next);
    }
  }

  #judge(entry: Channel): ChannelState {
    const connection = this.#client?.state;
    const subscription = entry.subscription.state;
    if (connection === State.Connected && subscription === SubscriptionState.Subscribed) {
      return { live: 'live', error: null };
    }
    const ended = connection === State.Disconnected || subscription === SubscriptionState.Unsubscribed;
    const refusal = this.#refusal ?? entry.refusal;
    if (ended && refusal) return { live: refusal.isSignedOut ? 'signedOut' : 'failed', error: refusal };
    if (!navigator.onLine) return { live: 'offline', error: null };
    return { live: entry.wasLive ? 'reconnecting' : 'connecting', error: null };
  }

  #listenToPage(): void {
    this.#awakeAt = Date.now();
    addEventListener('online', this.#onNetwork);
    addEventListener('offline', this.#onNetwork);
    document.addEventListener('visibilitychange', this.#onVisibility);
    clearInterval(this.#heartbeat);
    // A machine that slept with the page in front fires no event, but its timers stood still.
    this.#heartbeat = setInterval(this.#onHeartbeat, HEARTBEAT);
  }

  #stopListening(): void {
    removeEventListener('online', this.#onNetwork);
    removeEventListener('offline', this.#onNetwork);
    document.removeEventListener('visibilitychange', this.#onVisibility);
    clearInterval(this.#heartbeat);
  }

  readonly #onNetwork = ({ type }: Event): void => {
    this.#network.dispatchEvent(new Event(type));
    this.#tell();
  };

  readonly #onVisibility = (): void => {
    if (document.hidden) this.#awakeAt = Date.now();
    else this.#wakeIfSlept();
  };

  readonly #onHeartbeat = (): void => {
    // Timers of a hidden page are slow anyway.
    if (!document.hidden) this.#wakeIfSlept();
  };

  #wakeIfSlept(): void {
    const slept = Date.now() - this.#awakeAt > SLEPT;
    this.#awakeAt = Date.now();
    if (slept) this.#wake();
  }

  /** The SDK answers these two by reconnecting now, instead of after the next ping that is missed. */
  #wake(): void {
    this.#network.dispatchEvent(new Event('offline'));
    this.#network.dispatchEvent(new Event('online'));
  }
}

/** The SDK repeats what fails, except for this one error. */
async function tokenOrRefusal(
  getToken: () => Promise<string>,
  refuse: (refusal: CalwireError) => void,
): Promise<string> {
  try {
    const token = await getToken();
    if (token) return token;
    throw signedOut();
  } catch (cause) {
    const error = CalwireError.of(cause);
    if (error.code !== 'UNAUTHORIZED' && error.code !== 'FORBIDDEN') throw error;
    refuse(error);
    throw new UnauthorizedError(error.message);
  }
}

function refused(reason: string): CalwireError {
  return new CalwireError('FORBIDDEN', 'Live updates were refused. Try again, or reload the page.', { reason });
}

function deliver(listeners: Set<Listener>, { data, offset }: PublicationContext): void {
  for (const listener of [...listeners]) {
    guarded(() => listener.onMessage(data, offset === undefined ? {} : { offset }));
  }
}

/** Runs a handler of the application: what it throws is reported, and goes no further. */
function guarded(handler: () => void): void {
  try {
    handler();
  } catch (error) {
    if (typeof reportError === 'function') reportError(error);
    else console.error(error);
  }
}
