/**
 * The user's socket.
 *
 * It lives outside React: components unmount and remount, in StrictMode always, so the socket and its subscriptions are
 * reference-counted and closed after a grace period. Listeners of one channel share a subscription. The constructor opens
 * nothing.
 *
 * The SDK reconnects, resubscribes and recovers by itself. This adds three things. A rejected token ends the attempts. A
 * page that wakes up reconnects at once. A handler that throws does not lose messages: the SDK stores a message's offset
 * after the handlers return, and would stop at the one that throws.
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

/** StrictMode and route changes unmount and remount within this time. */
const GRACE = 1_000;
/** A reconnect within this time is not shown. */
const BLINK = 1_000;
/** After this time in the background or asleep, the socket may be dead although it looks open. */
const SLEPT = 30_000;
const HEARTBEAT = 10_000;

export interface RealtimeOptions {
  wsUrl: string;
  getConnectionToken: () => Promise<string>;
  /** The user's own channel. It needs no token from the application and can load the state before its first message. */
  own: { channel: string; getToken: () => Promise<string>; getState: () => Promise<StreamPosition> };
}

export interface Listener {
  onMessage: (data: unknown, ctx: { offset?: number }) => void;
  /** Called when messages were missed that will not be sent again. */
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
  rejection: CalwireError | null;
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
  #rejection: CalwireError | null = null;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #awakeAt = 0;

  constructor(options: RealtimeOptions) {
    this.#options = options;
  }

  /** Keeps the socket open until the grace period after the returned function is called. */
  retain(): () => void {
    this.#holders += 1;
    clearTimeout(this.#closing);
    if (this.#holders === 1) this.#open();
    return () => {
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

  /** Calls back when the channel's state changes. The channel must have a listener. */
  watch(channel: string, callback: () => void): () => void {
    return this.#channels.get(channel)?.state.subscribe(callback) ?? (() => undefined);
  }

  /** Tries again now, even after a rejection. */
  retry(): void {
    const client = this.#client;
    if (!client || this.#holders === 0) return;
    this.#rejection = null;
    for (const entry of this.#channels.values()) {
      entry.rejection = null;
      if (entry.subscription.state === SubscriptionState.Unsubscribed) entry.subscription.subscribe();
    }
    if (client.state === State.Disconnected) client.connect();
    else if (client.state === State.Connecting) this.#wake();
    this.#updateAll();
  }

  /** Closes the socket and stops reconnecting. */
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
        tokenOrRejection(this.#options.getConnectionToken, (rejection) => {
          this.#rejection = rejection;
        }),
    });
    client.on('connected', () => {
      this.#rejection = null;
    });
    client.on('disconnected', ({ code, reason }) => {
      // Code 0 is our own disconnect. Code 1 follows a rejected token, whose error is set already.
      if (code > 1) this.#rejection = rejected(reason);
    });
    client.on('state', () => this.#updateAll());
    // Failed attempts show in the state. Without a listener the SDK would throw.
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
      rejection: null,
      removal: undefined,
      blink: undefined,
    };
    const { subscription } = entry;
    subscription.on('publication', (ctx) => deliver(listeners, ctx));
    subscription.on('subscribed', ({ wasRecovering, recovered }) => {
      entry.rejection = null;
      if (wasRecovering && !recovered) for (const { onLost } of [...listeners]) guarded(() => onLost?.());
    });
    subscription.on('unsubscribed', ({ code, reason }) => {
      if (code > 1) entry.rejection = rejected(reason);
    });
    subscription.on('state', () => this.#update(entry));
    subscription.on('error', () => undefined);
    this.#channels.set(channel, entry);
    subscription.subscribe();
    this.#update(entry);
    return entry;
  }

  #subscriptionOptions(channel: string, first: Listener, listeners: Set<Listener>): SubscriptionOptions {
    const { own } = this.#options;
    const onReject = (rejection: CalwireError) => {
      const entry = this.#channels.get(channel);
      if (entry) entry.rejection = rejection;
    };
    if (channel === own.channel) {
      return { getToken: () => tokenOrRejection(own.getToken, onReject), getState: own.getState };
    }
    if (!first.getToken) return {};
    const getToken = () => {
      // Prefer the latest listener: the first one may be gone.
      const latest = [...listeners].reverse().find((listener) => listener.getToken)?.getToken ?? first.getToken;
      return latest?.(channel) ?? Promise.resolve('');
    };
    return { getToken: () => tokenOrRejection(getToken, onReject) };
  }

  #remove(channel: string, entry: Channel): void {
    clearTimeout(entry.blink);
    this.#channels.delete(channel);
    this.#client?.removeSubscription(entry.subscription);
  }

  #updateAll(): void {
    for (const entry of this.#channels.values()) this.#update(entry);
  }

  #update(entry: Channel): void {
    clearTimeout(entry.blink);
    const next = this.#stateNow(entry);
    if (next.live === 'live') entry.wasLive = true;
    const { live, error } = entry.state.get();
    if (live === 'live' && next.live === 'reconnecting') {
      entry.blink = setTimeout(() => entry.state.set(this.#stateNow(entry)), BLINK);
    } else if (live !== next.live || error !== next.error) {
      entry.state.set(next);
    }
  }

  #stateNow(entry: Channel): ChannelState {
    const connection = this.#client?.state;
    const subscription = entry.subscription.state;
    if (connection === State.Connected && subscription === SubscriptionState.Subscribed) {
      return { live: 'live', error: null };
    }
    const ended = connection === State.Disconnected || subscription === SubscriptionState.Unsubscribed;
    const rejection = this.#rejection ?? entry.rejection;
    if (ended && rejection) return { live: rejection.isSignedOut ? 'signedOut' : 'failed', error: rejection };
    if (!navigator.onLine) return { live: 'offline', error: null };
    return { live: entry.wasLive ? 'reconnecting' : 'connecting', error: null };
  }

  #listenToPage(): void {
    this.#awakeAt = Date.now();
    addEventListener('online', this.#onNetwork);
    addEventListener('offline', this.#onNetwork);
    document.addEventListener('visibilitychange', this.#onVisibility);
    clearInterval(this.#heartbeat);
    // A machine that slept with the page visible fires no event, but the gap between heartbeats shows it.
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
    this.#updateAll();
  };

  readonly #onVisibility = (): void => {
    if (document.hidden) this.#awakeAt = Date.now();
    else this.#wakeIfSlept();
  };

  readonly #onHeartbeat = (): void => {
    // Browsers throttle the timers of hidden pages.
    if (!document.hidden) this.#wakeIfSlept();
  };

  #wakeIfSlept(): void {
    const slept = Date.now() - this.#awakeAt > SLEPT;
    this.#awakeAt = Date.now();
    if (slept) this.#wake();
  }

  /** On these two events the SDK reconnects now, instead of after a missed ping. */
  #wake(): void {
    this.#network.dispatchEvent(new Event('offline'));
    this.#network.dispatchEvent(new Event('online'));
  }
}

/** Turns a rejected token into `UnauthorizedError`, the only error after which the SDK does not retry. */
async function tokenOrRejection(
  getToken: () => Promise<string>,
  onReject: (rejection: CalwireError) => void,
): Promise<string> {
  try {
    const token = await getToken();
    if (token) return token;
    throw signedOut();
  } catch (cause) {
    const error = CalwireError.of(cause);
    if (error.code !== 'UNAUTHORIZED' && error.code !== 'FORBIDDEN') throw error;
    onReject(error);
    throw new UnauthorizedError(error.message);
  }
}

function rejected(reason: string): CalwireError {
  return new CalwireError('FORBIDDEN', 'Live updates were refused. Try again, or reload the page.', { reason });
}

function deliver(listeners: Set<Listener>, { data, offset }: PublicationContext): void {
  for (const listener of [...listeners]) {
    guarded(() => listener.onMessage(data, offset === undefined ? {} : { offset }));
  }
}

/** Runs an application's handler. An exception is reported and does not propagate. */
function guarded(handler: () => void): void {
  try {
    handler();
  } catch (error) {
    reportError(error);
  }
}
