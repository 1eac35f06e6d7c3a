-- A connect flow is used once, but its row stays until it expires: a repeated callback of the same browser ends as the first.
alter table oauth_states
    add column taken_at   timestamptz,
    -- The parameters that the first callback put on the page's address: a word, perhaps a space and a reason.
    add column outcome    text,
    -- The account that the user wanted to connect again.
    add column google_sub text;

-- The grant of a disconnected account is kept at Google: the installation's setting, or other scopes than ours are in it.
alter table connections add column keep_grant boolean not null default false;
