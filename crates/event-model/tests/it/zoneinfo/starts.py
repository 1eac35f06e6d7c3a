"""Prints the starts of weekly series in every zone: {zone: [UTC, in ISO 8601, …]} for each line of the input.

A line is {"first": "2024-01-07T02:30", "weeks": 209}.
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

# It stands for "not set".
NO_ZONES = {"Factory"}


def starts(zone, first, weeks):
    for week in range(weeks):
        # fold=0: the first of a time that repeats; a time in a gap moves forward by its length.
        local = (first + timedelta(weeks=week)).replace(tzinfo=zone)
        yield local.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


for line in sys.stdin:
    series = json.loads(line)
    first = datetime.fromisoformat(series["first"])
    names = sorted(available_timezones() - NO_ZONES)
    print(json.dumps({name: list(starts(ZoneInfo(name), first, series["weeks"])) for name in names}))
