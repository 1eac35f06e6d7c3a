-- One Google account connected by one user.
--
-- The columns are evidence; the state that people see (healthy, importing, delayed, reauth_required, scope_missing,
-- disconnected) is derived from them in one place, `store::connections::State`.
create table connections (
    id                  uuid        primary key,
    user_id             text        not null,
    google_sub          text        not null,
    email               text        not null,
    scopes              text[]      not null,
    -- Sealed (XChaCha20-Poly1305, key id inside, bound to table, column and row). Null once the grant has ended.
    refresh_token       bytea,
    access_token        bytea,
    access_expires_at   timestamptz,
    -- Single flight: one process refreshes, the others wait for the new token.
    refresh_lease       uuid,
    refresh_leased_until timestamptz,
    -- The first `invalid_grant` of a row of them; a second one a while later, with the same token, ends the grant.
    grant_suspect_at    timestamptz,
    grant_ended_at      timestamptz,
    -- Set by `disconnect`: from here on nothing is pulled, and the row goes once its channels are stopped.
    disconnected_at     timestamptz,
    created_at          timestamptz not null,
    updated_at          timestamptz not null,
    unique (user_id, google_sub)
);
create index connections_google_sub on connections (google_sub);

-- A connect flow that has been started. Single use: the callback deletes the row it finds.
create table oauth_states (
    state_sha256        bytea       primary key,
    user_id             text        not null,
    -- sha256 of the cookie of the browser that started the flow.
    browser_sha256      bytea       not null,
    pkce_verifier       bytea       not null, -- sealed
    return_to           text        not null,
    expires_at          timestamptz not null
);
create index oauth_states_expires_at on oauth_states (expires_at);

-- A known plaintext sealed under each key, so that a wrong key is found at start and not at three in the morning.
create table key_checks (
    key_id              bigint      primary key,
    sealed              bytea       not null,
    created_at          timestamptz not null
);
