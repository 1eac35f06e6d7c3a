-- Channels to be purged, to be stopped when there is no public URL any more, and the next one that expires.
create index watches_state_expires_at on watches (state, expires_at);
