-- The series that Google has split off others, to be found by the id of the first: few, even in a large calendar.
create index events_split_off on events (calendar_id, generation, event_id collate "C")
    where recurrence is not null and event_id like '%\_R%';
