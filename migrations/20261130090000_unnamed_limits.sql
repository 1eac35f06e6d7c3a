-- When an account last met a limit that Google did not name. Several accounts within seconds have met the project's.
alter table quota_pauses add column unnamed_at timestamptz;
