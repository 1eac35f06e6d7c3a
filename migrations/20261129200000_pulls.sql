-- What a pull has to know of those before it.

-- The most events on a page of the listing that the sync token is from: the next one has to ask for as many. Null: as configured.
alter table sync_state add column page_size smallint;
-- How many workers in a row did not come back to it, so that a pull that ends its process is not made at once again.
alter table sync_state add column steals integer not null default 0;
