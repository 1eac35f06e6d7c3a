"""Expands recurring events with python-dateutil: one JSON case a line in, one JSON list of starts a line out.

Wall-clock times are expanded without a zone and then placed in the zone, so that dateutil resolves gaps and folds
(resolve_imaginary; fold=0 is the first of two).
"""

import datetime as datetime_module
import json
import re
import signal
import sys
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from dateutil.tz import resolve_imaginary

# A rule for one minute in a year has dateutil look at every minute.
SECONDS_PER_CASE = 0.5


# A fixed offset, as Java and Google name it. East is positive.
FIXED = re.compile(r"(?:GMT|UTC)([+-])(\d\d?)(?::(\d\d))?")


class TooSlow(Exception):
    pass


def too_slow(*_):
    raise TooSlow


def zone_of(name):
    fixed = FIXED.fullmatch(name)
    if fixed is None:
        return ZoneInfo(name)
    sign, hours, minutes = fixed.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(offset if sign == "+" else -offset)


def instant(local, zone):
    if zone is None:
        return local
    return resolve_imaginary(local.replace(tzinfo=zone)).astimezone(timezone.utc)


def is_over(local, zone, until):
    if until is None:
        return False
    kind, text = until
    if kind == "date":
        return local.date() > date.fromisoformat(text)
    end = datetime.fromisoformat(text)
    if zone is None:
        return local.date() > end.date()
    if kind == "local":
        return local > end
    return instant(local, zone) > end.replace(tzinfo=timezone.utc)


def made_by(rule, start, zone, end):
    made = set()
    # Else a rule that makes nothing keeps dateutil searching to the year 9999.
    datetime_module.MAXYEAR = end.year
    try:
        locals_ = rrulestr(rule["text"], dtstart=start)
        for local in locals_:
            if local > end or is_over(local, zone, rule["until"]):
                break
            made.add(instant(local, zone))
    except ValueError as error:
        # An interval that never meets the hours asked for: dateutil refuses what makes nothing.
        if "empty" not in str(error):
            raise
    return made


def expand(case):
    zone = zone_of(case["zone"]) if case["zone"] else None
    start = datetime.fromisoformat(case["start"])
    window_from, window_to = (datetime.fromisoformat(case[key]) for key in ("from", "to"))
    if zone is not None:
        window_from, window_to = (time.replace(tzinfo=timezone.utc) for time in (window_from, window_to))
    end = window_to.replace(tzinfo=None) + timedelta(days=2)
    starts = {instant(start, zone)}
    for rule in case["rules"]:
        starts |= made_by(rule, start, zone, end)
    starts |= {instant(datetime.fromisoformat(text), zone) for text in case["added"]}
    for rule in case["excludedRules"]:
        starts -= made_by(rule, start, zone, end)
    starts -= {instant(datetime.fromisoformat(text), zone) for text in case["excluded"]}
    form = "%Y-%m-%d" if zone is None else "%Y-%m-%dT%H:%M:%SZ"
    return [time.strftime(form) for time in sorted(starts) if window_from <= time < window_to]


signal.signal(signal.SIGVTALRM, too_slow)
for line in sys.stdin:
    try:
        try:
            # Of this process's own time: a busy machine does not make it slow.
            signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS_PER_CASE)
            answer = expand(json.loads(line))
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except TooSlow:
        answer = None
    print(json.dumps(answer))
