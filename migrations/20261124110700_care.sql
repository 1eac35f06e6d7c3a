-- For whoever runs an installation: upgrades one copy at a time, backups that are brought back, and grants' lives.

-- A service of an older version goes on with a newer schema as long as its own newest migration is not below this one. A
-- migration that takes away what older services read or write raises it in the same file:
--   update schema_floor set version = 20261124110700;
create table schema_floor (
    only_row            boolean     primary key default true check (only_row),
    version             bigint      not null
);
insert into schema_floor (version) values (20261124110700);

-- Which Postgres this data was written by. Another one, or another timeline of the same, means that a backup was brought back.
create table database_identity (
    only_row            boolean     primary key default true check (only_row),
    system_identifier   text        not null,
    database_oid        bigint      not null,
    timeline            integer     not null,
    noted_at            timestamptz not null
);

-- When the user last consented: grants of a consent screen in "Testing" end seven days later. Unknown for older ones.
alter table connections add column granted_at timestamptz;
