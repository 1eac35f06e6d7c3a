-- Occurrences hold their event as a browser receives it, which has new fields.
update sync_state set horizon_until = null;
