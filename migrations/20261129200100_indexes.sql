-- Who deletes an account or a calendar takes along what refers to it: Postgres looks for that by these columns, once for
-- each row that goes, and without an index reads the whole table each time. A user's queue needs none of its own: it is
-- found by the user's accounts, and every bump of a row of the queue would have to write to one more.
create index watches_connection on watches (connection_id);
create index write_intents_connection on write_intents (connection_id);
create index write_intents_calendar on write_intents (calendar_id);
