//! Views of a user, a connection or a calendar for support: the state, never its content. No titles, no calendar names, no
//! addresses, no tokens; each column is listed explicitly.

use common::ids::{CalendarId, ConnectionId, UserId};
use serde_json::Value;
use sqlx::PgConnection;

/// None: no user with this id has ever connected or opened a page.
pub async fn user(conn: &mut PgConnection, user: &UserId) -> sqlx::Result<Option<Value>> {
    sqlx::query_scalar!(
        r#"select json_build_object(
               'user', $1::text,
               'stream', (select json_build_object('epoch', epoch, 'seq', seq, 'relay_attempts', relay_attempts,
                                                    'relay_not_before', relay_not_before)
                          from user_stream where user_id = $1),
               'outbox', (select json_build_object('waiting', count(*), 'oldest', min(created_at))
                          from outbox where user_id = $1),
               'dead_letters', (select count(*) from dead_letters where user_id = $1),
               'open_writes', (select count(*) from write_intents where user_id = $1 and state in ('pending', 'sent')),
               'connections', (select coalesce(json_agg(json_build_object(
                                   'id', n.id, 'created_at', n.created_at, 'grant_ended_at', n.grant_ended_at,
                                   'disconnected_at', n.disconnected_at,
                                   'calendars', (select count(*) from calendars c where c.connection_id = n.id),
                                   'selected', (select count(*) from calendars c where c.connection_id = n.id and c.selected)
                               ) order by n.created_at), '[]') from connections n where n.user_id = $1)
           ) as "shown!"
           where exists (select from user_stream where user_id = $1)
              or exists (select from connections where user_id = $1)"#,
        user.as_str(),
    )
    .fetch_optional(conn)
    .await
}

pub async fn connection(conn: &mut PgConnection, id: ConnectionId) -> sqlx::Result<Option<Value>> {
    sqlx::query_scalar!(
        r#"select json_build_object(
               'connection', n.id, 'user', n.user_id, 'google_account', n.google_sub, 'scopes', n.scopes,
               'created_at', n.created_at, 'granted_at', n.granted_at, 'grant_suspect_at', n.grant_suspect_at,
               'grant_ended_at', n.grant_ended_at, 'grant_ended_reason', n.grant_ended_reason, 'disconnected_at', n.disconnected_at,
               'has_refresh_token', n.refresh_token is not null,
               'access_token_expires_at', n.access_expires_at,
               'refresh_leased_until', n.refresh_leased_until,
               'paused_until', (select until from quota_pauses where bucket = 'user:' || n.google_sub),
               'writes_paused_until', (select until from quota_pauses where bucket = 'writes:' || n.google_sub),
               'calendar_list', (select json_build_object(
                                     'last_pull_at', s.last_pull_at, 'last_push_at', s.last_push_at, 'due',
                                     s.dirty_seq > s.synced_seq, 'due_since', s.dirty_at, 'attempts', s.attempts,
                                     'not_before', s.not_before, 'last_error', s.last_error, 'last_error_at', s.last_error_at)
                                 from sync_state s where s.resource_id = n.id),
               'calendars', (select coalesce(json_agg(json_build_object(
                                 'id', c.id, 'selected', c.selected, 'push_supported', c.push_supported,
                                 'last_pull_at', s.last_pull_at, 'due', s.dirty_seq > s.synced_seq,
                                 'last_error', s.last_error) order by c.created_at, c.id), '[]')
                             from calendars c left join sync_state s on s.resource_id = c.id
                             where c.connection_id = n.id)
           ) as "shown!"
           from connections n where n.id = $1"#,
        id.as_uuid(),
    )
    .fetch_optional(conn)
    .await
}

pub async fn calendar(conn: &mut PgConnection, id: CalendarId) -> sqlx::Result<Option<Value>> {
    sqlx::query_scalar!(
        r#"select json_build_object(
               'calendar', c.id, 'user', c.user_id, 'connection', c.connection_id, 'access_role', c.access_role,
               'time_zone', c.time_zone, 'primary', c.is_primary, 'selected', c.selected,
               'push_supported', c.push_supported, 'access_lost_at', c.access_lost_at, 'created_at', c.created_at,
               'sync', json_build_object(
                   'dirty_seq', s.dirty_seq, 'synced_seq', s.synced_seq, 'due_since', s.dirty_at, 'cause', s.dirty_cause,
                   'has_sync_token', s.sync_token is not null, 'generation', s.generation, 'building', s.building,
                   'leased_until', s.leased_until, 'attempts', s.attempts, 'not_before', s.not_before,
                   'poll_at', s.poll_at, 'last_push_at', s.last_push_at, 'last_pull_at', s.last_pull_at,
                   'last_change_at', s.last_change_at, 'rebuilt_at', s.rebuilt_at, 'horizon_until', s.horizon_until,
                   'last_error', s.last_error, 'last_error_at', s.last_error_at),
               'events', (select count(*) from events e where e.calendar_id = c.id and e.generation = s.generation),
               'unreadable_events', (select count(*) from events e where e.calendar_id = c.id
                                     and e.generation = s.generation and e.problem is not null),
               'event_problems', (select coalesce(json_object_agg(p.problem, p.events), '{}')
                                  from (select e.problem, count(*) as events from events e where e.calendar_id = c.id
                                        and e.generation = s.generation and e.problem is not null group by 1) p),
               'unconverted_events', (select count(*) from events e where e.calendar_id = c.id
                                      and e.generation = s.generation and e.view is null),
               'instances', (select coalesce(sum(cardinality(starts)), 0) from instances i where i.calendar_id = c.id
                             and i.generation = s.generation),
               'channels', (select coalesce(json_agg(json_build_object(
                                'id', w.channel_id, 'state', w.state, 'created_at', w.created_at,
                                'expires_at', w.expires_at, 'renew_at', w.renew_at, 'last_message_at', w.last_message_at,
                                'attempts', w.attempts) order by w.created_at desc), '[]')
                            from watches w where w.resource_id = c.id),
               'last_rounds', (select coalesce(json_agg(to_json(r) order by r.number desc), '[]')
                               from (select number, cause, asked_at, started_at, committed_at, outcome, pages, changed,
                                            deleted, seq, published_at, times, last_at
                                     from sync_rounds where calendar_id = c.id order by number desc limit 5) r)
           ) as "shown!"
           from calendars c left join sync_state s on s.resource_id = c.id where c.id = $1"#,
        id.as_uuid(),
    )
    .fetch_optional(conn)
    .await
}
