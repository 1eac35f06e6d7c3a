// `getUpcomingEvents` as a Node.js developer would write it: Hono and pg, two statements on the tables of Calwire.
//
// `DATABASE_URL`, `AUTH_SECRET`; prints its port when it listens.

import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { jwt } from 'hono/jwt';
import pg from 'pg';

const { DATABASE_URL, AUTH_SECRET } = process.env;
if (!DATABASE_URL || !AUTH_SECRET) throw new Error('DATABASE_URL and AUTH_SECRET have to be set');

const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 16 });

const CALENDARS = {
  name: 'calendars',
  text: `select c.id, s.generation, s.last_pull_at
         from calendars c join sync_state s on s.resource_id = c.id join connections n on n.id = c.connection_id
         where c.user_id = $1 and c.selected and c.access_lost_at is null and n.disconnected_at is null`,
};
const EVENTS = {
  name: 'events',
  text: `select i.calendar_id, i.event_id, i.is_master, i.starts, i.length, e.view
         from instances i join unnest($2::uuid[], $3::bigint[]) as c (id, generation)
              on c.id = i.calendar_id and c.generation = i.generation
         join events e on e.calendar_id = i.calendar_id and e.generation = i.generation and e.event_id = i.event_id
         where i.user_id = $1 and e.view <> ''
           and (i.ends_at - i.starts_at <= interval '36 hours' and i.starts_at >= $4::timestamptz - interval '36 hours'
                and i.starts_at < $5 and i.ends_at > $4
                or i.ends_at - i.starts_at > interval '36 hours' and i.ends_at > $4 and i.starts_at < $5)
         order by i.starts_at`,
};

/** The instances of an event that overlap a time. */
function instances(row, from, to) {
  const shown = { ...JSON.parse(row.view), calendarId: row.calendar_id, eventId: row.event_id };
  const length = Number(row.length) * 1_000;
  return row.starts
    .filter((start) => start < to && start.getTime() + length > from.getTime())
    .map((start) => {
      const original = start.toISOString().replace(/[-:]|\.\d+/g, '');
      const id = row.is_master ? `${row.event_id}_${original}` : row.event_id;
      return { ...shown, id, start, end: new Date(start.getTime() + length) };
    });
}

const app = new Hono();
app.use('/trpc/*', jwt({ secret: AUTH_SECRET, alg: 'HS256' }));
app.get('/trpc/calendar.google.getUpcomingEvents', async (context) => {
  const { days, maxResults } = JSON.parse(context.req.query('input') ?? '{}');
  const { sub } = context.get('jwtPayload');
  const { rows: calendars } = await pool.query({ ...CALENDARS, values: [sub] });
  const from = new Date();
  const to = new Date(from.getTime() + days * 86_400_000);
  const { rows } = await pool.query({
    ...EVENTS,
    values: [sub, calendars.map(({ id }) => id), calendars.map(({ generation }) => generation), from, to],
  });
  const asOf = calendars.map(({ last_pull_at }) => last_pull_at);
  const events = rows.flatMap((row) => instances(row, from, to));
  events.sort((a, b) => a.start - b.start);
  return context.json({ result: { data: { events: events.slice(0, maxResults), asOf } } });
});

serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => console.log(port));
