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
  text: `select o.payload
         from occurrences o join unnest($2::uuid[], $3::bigint[]) as c (id, generation)
              on c.id = o.calendar_id and c.generation = o.generation
         where o.user_id = $1 and o.starts_at >= $4::timestamptz - interval '36 hours' and o.starts_at < $5 and o.ends_at > $4
         order by o.starts_at limit $6`,
};

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
    values: [sub, calendars.map(({ id }) => id), calendars.map(({ generation }) => generation), from, to, maxResults],
  });
  const asOf = calendars.map(({ last_pull_at }) => last_pull_at);
  return context.json({ result: { data: { events: rows.map(({ payload }) => payload), asOf } } });
});

serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => console.log(port));
