-- What was done for a calendar and how long each step took, for the people whose calendar it is. No titles, no bodies.

-- Why a resource became due: the cause of its next round.
alter table sync_state add column dirty_cause text not null default 'poll'
    check (dirty_cause in ('push', 'poll', 'opening', 'person', 'watch', 'first'));

-- One pull of a calendar, written by the transaction that settles it. The last hundred of a calendar are kept. Rounds
-- that found nothing, one after the other, share a row, so that an idle calendar costs no growth.
create table sync_rounds (
    calendar_id         uuid        not null references calendars on delete cascade,
    -- Counts within the calendar.
    number              bigint      not null,
    user_id             text        not null,
    cause               text        not null check (cause in ('push', 'poll', 'opening', 'person', 'watch', 'first')),
    -- When it was asked for, when the pull began that counts, when that was committed (or given up).
    asked_at            timestamptz not null,
    started_at          timestamptz not null,
    committed_at        timestamptz not null,
    -- `ok`, `no_change`, `listed`, or the word of why it was given up.
    outcome             text        not null,
    pages               integer     not null,
    changed             integer     not null,
    deleted             integer     not null,
    -- The message that told of it, and when Centrifugo had taken that.
    seq                 bigint,
    published_at        timestamptz,
    -- How many rounds this row stands for, and when the last of them was committed.
    times               integer     not null default 1,
    last_at             timestamptz not null,
    primary key (calendar_id, number)
);
create index sync_rounds_to_publish on sync_rounds (user_id, seq) where seq is not null and published_at is null;
