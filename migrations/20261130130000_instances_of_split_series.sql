-- Instances of a series that Google has split off another now have Google's ids. Without a version, every calendar is
-- expanded again, in slices.
delete from zone_data;
