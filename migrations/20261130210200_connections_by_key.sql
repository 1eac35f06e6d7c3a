-- The ids of the keys in use, found without reading every account that is sealed with them.
create index connections_key_id on connections (substring(refresh_token from 2 for 4)) where length(refresh_token) >= 5;
