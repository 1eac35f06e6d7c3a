import type { ConnectOutcome } from '@calwire/client/react';

import { Icon } from './Icon';

interface BannerText {
  tone: 'good' | 'warn' | 'bad';
  title: string;
  remedy: string;
}

/** Shows the outcome of the consent flow. */
export function Banner({ outcome, onClose }: { outcome: ConnectOutcome; onClose: () => void }) {
  const texts = textsOf(outcome);
  const tone = texts[0]?.tone;
  return (
    <div className="banner" data-tone={tone} role={tone === 'good' ? 'status' : 'alert'}>
      <div>
        {texts.map(({ title, remedy }) => (
          <p key={title}>
            <strong>{title}</strong> {remedy}
          </p>
        ))}
      </div>
      <button type="button" className="button quiet square" aria-label="Close this message" onClick={onClose}>
        <Icon name="close" />
      </button>
    </div>
  );
}

function textsOf({ status, reasons }: ConnectOutcome): BannerText[] {
  if (status === 'denied') return [DENIED];
  if (status === 'error') return [{ tone: 'bad', ...(FAILURES.get(reasons[0] ?? '') ?? UNKNOWN) }];
  const notes = reasons.map((reason) => NOTES.get(reason)).filter((note) => note !== undefined);
  return notes.length > 0 ? notes : [CONNECTED];
}

const DENIED: BannerText = {
  tone: 'warn',
  title: 'Not connected: you said no on Google’s page.',
  remedy: 'Nothing was stored. Connect again whenever you like.',
};

const CONNECTED: BannerText = {
  tone: 'good',
  title: 'Google is connected.',
  remedy: 'Your events are on their way; changes in Google show here by themselves from now on.',
};

const SCOPE_MISSING: BannerText = {
  tone: 'warn',
  title: 'Connected, but without the calendar.',
  remedy: 'The box for your calendar was not ticked on Google’s page. Connect again and leave it ticked.',
};

const NOTES = new Map<string, BannerText>(
  Object.entries({
    scope_missing: SCOPE_MISSING,
    other_account: {
      tone: 'warn',
      title: 'Another account was connected.',
      remedy: 'The one that needs you is still waiting. Connect it again and choose it on Google’s page.',
    },
    calendar_off: {
      tone: 'warn',
      title: 'Connected, but Google Calendar is turned off for this account.',
      remedy: 'Its administrator can turn it on. Calwire looks again every hour.',
    },
  }),
);

const UNKNOWN = { title: 'Google could not be connected.', remedy: 'Please try again.' };

const POLICY = {
  title: 'Your organization does not allow this connection.',
  remedy: 'Its administrator can allow it in the Google Admin console. You can also try another account.',
};

const FAILURES = new Map<string, typeof UNKNOWN>(
  Object.entries({
    admin_policy_enforced: POLICY,
    access_denied: POLICY,
    policy_enforced: POLICY,
    invalid_state: {
      title: 'This connection attempt is not valid any more.',
      remedy: 'It was finished already, or its link was opened twice. Start again with the connect button.',
    },
    expired_state: {
      title: 'That took a little long.',
      remedy: 'A connection has to be finished within some minutes. Start again with the connect button.',
    },
    other_browser: {
      title: 'The connection was started in another browser.',
      remedy: 'Start it here, and finish it in this same window. Cookies have to be allowed for it.',
    },
    code_missing: { title: 'Google sent nothing to connect with.', remedy: 'Start again with the connect button.' },
    code_rejected: {
      title: 'Google did not accept the connection.',
      remedy: 'Its one-time code had been used or had ended. Start again with the connect button.',
    },
    refresh_token_missing: {
      title: 'Google gave no lasting access.',
      remedy: 'Remove Calwire from the third-party access of your Google account, then connect again.',
    },
    refused_by_google: {
      title: 'Google refused the connection.',
      remedy: 'An administrator may have to allow it for your account. You can also try another account.',
    },
    google_unavailable: { title: 'Google cannot be reached just now.', remedy: 'Please try again in a minute.' },
    misconfigured: {
      title: 'Google rejected this installation.',
      remedy: 'Its OAuth client or redirect address is wrong. The log of calendar-api says which.',
    },
    internal: {
      title: 'Something went wrong on our side.',
      remedy: 'Please try again; the log of calendar-api has the cause.',
    },
  }),
);
