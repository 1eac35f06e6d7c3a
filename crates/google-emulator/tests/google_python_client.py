"""The emulator seen by Google's own Python client, which nobody here wrote.

Every answer is checked against the schemas of Google's discovery document (it comes with the client): unknown fields,
wrong types and wrong formats are errors. Started by google_python_client.rs with the emulator's address in EMULATOR_URL,
and its OAuth client in CLIENT_ID and CLIENT_SECRET; the accounts are those of the demo.
"""

import datetime
import http.server
import json
import os
import queue
import re
import threading
import unittest
import urllib.parse
import urllib.request
import uuid

import google.auth.exceptions
import google.auth.transport.requests
import google.oauth2.id_token
import google_auth_httplib2
import googleapiclient.discovery
import httplib2
from google.oauth2.credentials import Credentials
from google_auth_oauthlib.flow import Flow
from googleapiclient.errors import HttpError

BASE = os.environ["EMULATOR_URL"]
CLIENT_ID = os.environ["CLIENT_ID"]
CLIENT_SECRET = os.environ["CLIENT_SECRET"]
SCOPE = "https://www.googleapis.com/auth/"
ALL = [SCOPE + "calendar"]
ALICE = "alice@example.com"
HOLIDAYS = "en.ch#holiday@group.v.calendar.google.com"


def setUpModule():
    admin("POST", "reset", {})


def discovery_document():
    path = os.path.join(os.path.dirname(googleapiclient.discovery.__file__), "discovery_cache", "documents", "calendar.v3.json")
    with open(path, encoding="utf-8") as file:
        return json.load(file)


class Schemas:
    """Checks an answer against what the discovery document says of its method."""

    FORMATS = {
        "date": re.compile(r"\d{4}-\d\d-\d\d"),
        "date-time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"),
        "int64": re.compile(r"-?\d+"),
    }

    def __init__(self, document):
        self.schemas = document["schemas"]
        self.methods = []
        for resource in document["resources"].values():
            for method in resource["methods"].values():
                path = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(method["path"]))
                self.methods.append((method["httpMethod"], re.compile(path), method))

    def check(self, verb, uri, status, body):
        path = urllib.parse.urlsplit(uri).path.removeprefix("/calendar/v3/")
        method = next((m for v, p, m in self.methods if v == verb and p.fullmatch(path)), None)
        assert method, f"no method of Google's is {verb} {path}"
        where = f"{method['id']} {status}"
        if status >= 400:
            self.check_error(where, status, json.loads(body))
        elif "response" in method and status != 304:
            self.check_value(where, self.schemas[method["response"]["$ref"]], json.loads(body))
        else:
            assert not body, f"{where}: a body where Google has none: {body!r}"

    def check_error(self, where, status, answer):
        assert set(answer) == {"error"}, f"{where}: {answer}"
        error = answer["error"]
        assert set(error) == {"errors", "code", "message"}, f"{where}: {error}"
        assert error["code"] == status, f"{where}: code {error['code']}"
        for each in error["errors"]:
            assert set(each) >= {"domain", "reason", "message"}, f"{where}: {each}"
            assert set(each) <= {"domain", "reason", "message", "locationType", "location", "extendedHelp"}, f"{where}: {each}"

    def check_value(self, where, schema, value):
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        kind = schema.get("type", "any")
        python = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
        if kind in python:
            right = isinstance(value, python[kind]) and (kind == "boolean" or not isinstance(value, bool))
            assert right, f"{where}: {value!r} is no {kind}"
        if kind == "array":
            for index, item in enumerate(value):
                self.check_value(f"{where}[{index}]", schema["items"], item)
        elif kind == "object":
            self.check_object(where, schema, value)
        elif kind == "string":
            pattern = self.FORMATS.get(schema.get("format"))
            assert not pattern or pattern.fullmatch(value), f"{where}: {value!r} is no {schema['format']}"
            if where.endswith(".kind"):
                assert value == schema["default"], f"{where}: {value!r} instead of {schema['default']!r}"

    def check_object(self, where, schema, value):
        properties = schema.get("properties", {})
        for name, item in value.items():
            inner = properties.get(name, schema.get("additionalProperties"))
            assert inner is not None, f"{where}: Google has no field {name!r}"
            self.check_value(f"{where}.{name}", inner, item)


SCHEMAS = Schemas(discovery_document())


class CheckedHttp(httplib2.Http):
    """The client's transport, with an eye on what comes back."""

    def request(self, uri, method="GET", *args, **kwargs):
        response, content = super().request(uri, method, *args, **kwargs)
        if "/calendar/v3/" in uri and response.status != 401:
            SCHEMAS.check(method, uri, response.status, content)
        return response, content


def admin(method, path, body=None):
    request = urllib.request.Request(f"{BASE}/_emulator/{path}", method=method)
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, data) as answer:
        return json.load(answer)


def grant(user=ALICE, scopes=tuple(ALL)):
    return admin("POST", "tokens", {"user": user, "scopes": list(scopes)})


def credentials(tokens, token="keep"):
    return Credentials(
        tokens["access_token"] if token == "keep" else token, refresh_token=tokens.get("refresh_token"),
        token_uri=f"{BASE}/token", client_id=CLIENT_ID, client_secret=CLIENT_SECRET)


def service(creds):
    http = google_auth_httplib2.AuthorizedHttp(creds, http=CheckedHttp())
    return googleapiclient.discovery.build(
        "calendar", "v3", http=http, static_discovery=True, client_options={"api_endpoint": f"{BASE}/calendar/v3/"})


def new_id():
    return uuid.uuid4().hex


def at(day, hour, zone="Europe/Zurich"):
    return {"dateTime": f"{day}T{hour:02}:00:00", "timeZone": zone}


def timed(summary, day="2027-02-01", hour=9, **more):
    return {"summary": summary, "start": at(day, hour), "end": at(day, hour + 1), **more}


class Case(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.api = service(credentials(grant()))

    def refused(self, status, reason, request):
        with self.assertRaises(HttpError) as caught:
            request.execute()
        self.assertEqual(caught.exception.status_code, status, caught.exception)
        self.assertEqual(caught.exception.error_details[0]["reason"], reason, caught.exception)
        return caught.exception

    def pages(self, request, following):
        """All pages of a list; the sync token is on the last and nowhere else."""
        pages = []
        while request is not None:
            page = request.execute()
            pages.append(page)
            request = following(request, page)
            self.assertEqual("nextSyncToken" in page, request is None and "nextPageToken" not in page)
        return pages

    def items(self, pages):
        return [item for page in pages for item in page["items"]]


class TheCheckItself(unittest.TestCase):
    """An answer that Google would not give is noticed."""

    URI = f"{BASE}/calendar/v3/calendars/primary/events/abcde?alt=json"
    EVENT = {"kind": "calendar#event", "id": "abcde", "start": {"date": "2027-01-01"}, "sequence": 1}

    def noticed(self, status=200, verb="GET", uri=URI, **body):
        with self.assertRaises(AssertionError) as caught:
            SCHEMAS.check(verb, uri, status, json.dumps({**self.EVENT, **body}))
        return str(caught.exception)

    def test_what_is_noticed(self):
        SCHEMAS.check("GET", self.URI, 200, json.dumps(self.EVENT))
        self.assertIn("no field 'colour'", self.noticed(colour="red"))
        self.assertIn("no field 'zone'", self.noticed(start={"date": "2027-01-01", "zone": "UTC"}))
        self.assertIn("is no string", self.noticed(summary=7))
        self.assertIn("is no integer", self.noticed(sequence=True))
        self.assertIn("is no date", self.noticed(end={"date": "tomorrow"}))
        self.assertIn("is no date-time", self.noticed(updated="2027-01-01T00:00:00"))
        self.assertIn("calendar#event", self.noticed(kind="calendar#calendar"))
        self.assertIn("no method of Google's", self.noticed(verb="PATCH", uri=f"{BASE}/calendar/v3/colors"))
        self.assertIn("404", self.noticed(status=404))


class CalendarLists(Case):
    def test_list_pages_and_sync(self):
        calls = self.api.calendarList()
        whole = calls.list().execute()
        pages = self.pages(calls.list(maxResults=1), calls.list_next)
        self.assertEqual(len(pages), len(whole["items"]))
        self.assertEqual([c["id"] for c in self.items(pages)], [c["id"] for c in whole["items"]])
        primary = [c for c in whole["items"] if c.get("primary")]
        self.assertEqual([c["id"] for c in primary], [ALICE])
        token = whole["nextSyncToken"]
        again = calls.list(syncToken=token).execute()
        self.assertEqual(again["items"], [])
        admin("PATCH", "calendars", {"user": ALICE, "id": "family-meier@group.calendar.google.com", "colorId": "7"})
        changed = calls.list(syncToken=token).execute()
        self.assertEqual([c["colorId"] for c in changed["items"]], ["7"])

    def test_a_removed_calendar_is_told_as_deleted(self):
        calendar = {"id": "gone@group.calendar.google.com", "summary": "Gone", "timeZone": "UTC"}
        admin("POST", "calendars", {"user": ALICE, **calendar})
        token = self.api.calendarList().list().execute()["nextSyncToken"]
        query = urllib.parse.urlencode({"user": ALICE, "id": calendar["id"]})
        admin("DELETE", f"calendars?{query}")
        changed = self.api.calendarList().list(syncToken=token).execute()["items"]
        self.assertEqual([(c["id"], c["deleted"]) for c in changed], [(calendar["id"], True)])

    def test_what_may_not_go_with_a_sync_token(self):
        token = self.api.calendarList().list().execute()["nextSyncToken"]
        with self.assertRaises(HttpError) as caught:
            self.api.calendarList().list(syncToken=token, minAccessRole="owner").execute()
        self.assertEqual(caught.exception.status_code, 400)

    def test_get_calendar_and_colors(self):
        entry = self.api.calendarList().get(calendarId="primary").execute()
        self.assertEqual(entry["id"], ALICE)
        calendar = self.api.calendars().get(calendarId=HOLIDAYS).execute()
        self.assertEqual(calendar["id"], HOLIDAYS)
        colors = self.api.colors().get().execute()
        self.assertIn(entry["colorId"], colors["calendar"])
        self.refused(404, "notFound", self.api.calendars().get(calendarId="nobody@example.com"))


class EventLists(Case):
    def setUp(self):
        self.calls = self.api.events()

    def test_every_calendar_of_every_account_is_as_google_would_write_it(self):
        months = {"singleEvents": True, "timeMin": "2026-10-01T00:00:00Z", "timeMax": "2027-01-01T00:00:00Z"}
        for user in admin("GET", "users"):
            api = service(credentials(grant(user["email"])))
            for calendar in api.calendarList().list().execute()["items"]:
                for expansion in ({"singleEvents": False}, months):
                    calls = api.events()
                    request = calls.list(calendarId=calendar["id"], showDeleted=True, **expansion)
                    self.pages(request, calls.list_next)

    def test_pages_then_a_sync_token_then_changes_only(self):
        pages = self.pages(self.calls.list(calendarId="primary", maxResults=5), self.calls.list_next)
        self.assertGreater(len(pages), 2)
        token = pages[-1]["nextSyncToken"]
        self.assertEqual(self.calls.list(calendarId="primary", syncToken=token).execute()["items"], [])
        kept, gone = (self.calls.insert(calendarId="primary", body=timed(name)).execute() for name in ("kept", "gone"))
        self.calls.delete(calendarId="primary", eventId=gone["id"]).execute()
        changed = self.calls.list(calendarId="primary", syncToken=token).execute()
        states = {item["id"]: item["status"] for item in changed["items"]}
        self.assertEqual(states, {kept["id"]: "confirmed", gone["id"]: "cancelled"})
        later = self.calls.list(calendarId="primary", syncToken=changed["nextSyncToken"]).execute()
        self.assertEqual(later["items"], [])

    def test_changes_come_in_pages_too(self):
        token = self.calls.list(calendarId="primary").execute()["nextSyncToken"]
        made = {self.calls.insert(calendarId="primary", body=timed(str(n))).execute()["id"] for n in range(5)}
        request = self.calls.list(calendarId="primary", syncToken=token, maxResults=2)
        pages = self.pages(request, self.calls.list_next)
        self.assertEqual({item["id"] for item in self.items(pages)}, made)
        self.assertGreaterEqual(len(pages), 3)

    def test_what_may_not_go_with_a_sync_token(self):
        token = self.calls.list(calendarId="primary").execute()["nextSyncToken"]
        stamp = "2027-01-01T00:00:00Z"
        forbidden = {
            "iCalUID": "x", "orderBy": "updated", "privateExtendedProperty": "a=b", "q": "x",
            "sharedExtendedProperty": "a=b", "timeMin": stamp, "timeMax": stamp, "updatedMin": stamp,
        }
        for name, value in forbidden.items():
            with self.subTest(name), self.assertRaises(HttpError) as caught:
                self.calls.list(calendarId="primary", syncToken=token, **{name: value}).execute()
            self.assertEqual(caught.exception.status_code, 400)

    def test_a_sync_token_that_is_over_asks_for_a_full_sync(self):
        token = self.calls.list(calendarId="primary").execute()["nextSyncToken"]
        admin("POST", "expire-sync-tokens", {"calendar": ALICE})
        error = self.refused(410, "fullSyncRequired", self.calls.list(calendarId="primary", syncToken=token))
        self.assertEqual(error.error_details[0]["location"], "syncToken")

    def test_a_time_window_and_an_order(self):
        window = {"timeMin": "2027-03-01T00:00:00Z", "timeMax": "2027-03-08T00:00:00Z"}
        late = self.calls.insert(calendarId="primary", body=timed("late", "2027-03-03", 15)).execute()
        early = self.calls.insert(calendarId="primary", body=timed("early", "2027-03-03", 8)).execute()
        found = self.calls.list(calendarId="primary", singleEvents=True, orderBy="startTime", **window).execute()["items"]
        own = [item["id"] for item in found if item["id"] in (late["id"], early["id"])]
        self.assertEqual(own, [early["id"], late["id"]])
        swapped = self.calls.list(calendarId="primary", timeMin=window["timeMax"], timeMax=window["timeMin"])
        self.refused(400, "timeRangeEmpty", swapped)
        with self.assertRaises(HttpError) as caught:
            self.calls.list(calendarId="primary", orderBy="startTime").execute()
        self.assertEqual(caught.exception.status_code, 400)

    def test_only_the_fields_that_were_asked_for(self):
        page = self.calls.list(calendarId="primary", fields="nextSyncToken,items(id,start/date)").execute()
        self.assertEqual(set(page), {"nextSyncToken", "items"})
        self.assertLessEqual({key for item in page["items"] for key in item}, {"id", "start"})

    def test_times_in_the_zone_that_was_asked_for(self):
        event = self.calls.insert(calendarId="primary", body=timed("zone", "2027-04-01", 9)).execute()
        there = self.calls.get(calendarId="primary", eventId=event["id"], timeZone="Asia/Kathmandu").execute()
        self.assertEqual(there["start"]["dateTime"], "2027-04-01T12:45:00+05:45")
        page = self.calls.list(calendarId="primary", q="zone", timeZone="America/New_York").execute()
        self.assertIn("2027-04-01T03:00:00-04:00", [item["start"].get("dateTime") for item in page["items"]])


class Writes(Case):
    def setUp(self):
        self.calls = self.api.events()

    def insert(self, **body):
        return self.calls.insert(calendarId="primary", body={**timed("written"), **body}).execute()

    def test_an_own_id_is_taken_once(self):
        body = timed("once", id=new_id())
        event = self.calls.insert(calendarId="primary", body=body).execute()
        self.assertEqual(event["id"], body["id"])
        self.refused(409, "duplicate", self.calls.insert(calendarId="primary", body=body))
        self.calls.delete(calendarId="primary", eventId=body["id"]).execute()
        self.refused(409, "duplicate", self.calls.insert(calendarId="primary", body=body))

    def test_an_id_google_would_not_take(self):
        for bad in ("abc", "has-a-dash", "WITHCAPITALS", "w" * 10):
            with self.subTest(bad), self.assertRaises(HttpError) as caught:
                self.calls.insert(calendarId="primary", body=timed("bad", id=bad)).execute()
            self.assertEqual(caught.exception.status_code, 400)

    def test_if_match_lets_only_the_newest_write(self):
        event = self.insert()
        fresh = self.calls.patch(calendarId="primary", eventId=event["id"], body={"summary": "first"})
        fresh.headers["If-Match"] = event["etag"]
        patched = fresh.execute()
        self.assertNotEqual(patched["etag"], event["etag"])
        for call in (
            self.calls.patch(calendarId="primary", eventId=event["id"], body={"summary": "second"}),
            self.calls.update(calendarId="primary", eventId=event["id"], body=timed("second")),
            self.calls.delete(calendarId="primary", eventId=event["id"]),
        ):
            call.headers["If-Match"] = event["etag"]
            self.refused(412, "conditionNotMet", call)
        now = self.calls.get(calendarId="primary", eventId=event["id"]).execute()
        self.assertEqual(now["summary"], "first")
        self.assertEqual(now["etag"], patched["etag"])

    def test_a_patch_changes_what_it_names_and_null_clears(self):
        event = self.insert(location="here", description="there")
        body = {"description": None, "summary": "new"}
        patched = self.calls.patch(calendarId="primary", eventId=event["id"], body=body).execute()
        self.assertEqual(patched["summary"], "new")
        self.assertEqual(patched["location"], "here")
        self.assertNotIn("description", patched)
        self.assertEqual(patched["created"], event["created"])
        self.assertGreaterEqual(patched["updated"], event["updated"])

    def test_an_update_replaces_everything(self):
        event = self.insert(location="here")
        updated = self.calls.update(calendarId="primary", eventId=event["id"], body=timed("other")).execute()
        self.assertEqual(updated["summary"], "other")
        self.assertNotIn("location", updated)
        self.assertEqual(updated["iCalUID"], event["iCalUID"])

    def test_deleting_twice(self):
        event = self.insert()
        self.assertEqual(self.calls.delete(calendarId="primary", eventId=event["id"]).execute(), "")
        self.refused(410, "deleted", self.calls.delete(calendarId="primary", eventId=event["id"]))
        self.assertEqual(self.calls.get(calendarId="primary", eventId=event["id"]).execute()["status"], "cancelled")
        self.refused(404, "notFound", self.calls.delete(calendarId="primary", eventId=new_id()))

    def test_all_day_and_back(self):
        body = {"summary": "trip", "start": {"date": "2027-02-10"}, "end": {"date": "2027-02-13"}}
        event = self.calls.insert(calendarId="primary", body=body).execute()
        self.assertEqual((event["start"], event["end"]), (body["start"], body["end"]))
        times = {which: {"date": None, **at("2027-02-10", hour)} for which, hour in (("start", 9), ("end", 10))}
        timed_now = self.calls.patch(calendarId="primary", eventId=event["id"], body=times).execute()
        self.assertEqual(timed_now["start"], {"dateTime": "2027-02-10T09:00:00+01:00", "timeZone": "Europe/Zurich"})

    def test_what_is_no_event(self):
        for body in (
            {"summary": "no times"},
            {"start": {"date": "2027-02-10"}},
            {"start": at("2027-02-10", 9), "end": at("2027-02-10", 8)},
            {"start": at("2027-02-10", 9), "end": {"date": "2027-02-11"}},
            timed("rule", recurrence=["RRULE:FREQ=SOMETIMES"]),
        ):
            with self.subTest(body), self.assertRaises(HttpError) as caught:
                self.calls.insert(calendarId="primary", body=body).execute()
            self.assertEqual(caught.exception.status_code, 400)

    def test_guests_reminders_conference_and_properties_come_back(self):
        body = timed(
            "full", attendees=[{"email": "bob@example.com", "optional": True}, {"email": "guest@example.org"}],
            reminders={"useDefault": False, "overrides": [{"method": "popup", "minutes": 10}]},
            extendedProperties={"private": {"row": "7"}}, colorId="3", transparency="transparent", visibility="private",
            conferenceData={"createRequest": {"requestId": "r1", "conferenceSolutionKey": {"type": "hangoutsMeet"}}},
            source={"url": "https://example.org/x", "title": "x"}, guestsCanModify=True)
        event = self.calls.insert(calendarId="primary", body=body, conferenceDataVersion=1).execute()
        self.assertEqual({guest["responseStatus"] for guest in event["attendees"] if not guest.get("organizer")}, {"needsAction"})
        self.assertEqual(event["extendedProperties"], body["extendedProperties"])
        self.assertIn("conferenceData", event)
        found = self.calls.list(calendarId="primary", privateExtendedProperty="row=7").execute()["items"]
        self.assertEqual([item["id"] for item in found], [event["id"]])

    def mails(self):
        return [(mail["to"], mail["kind"]) for mail in admin("GET", "mails")]

    def test_guests_hear_of_writes_that_say_so(self):
        admin("DELETE", "mails")
        guests = [{"email": "bob@example.com"}, {"email": "guest@example.org"}]
        quiet = self.insert(attendees=guests)
        self.calls.delete(calendarId="primary", eventId=quiet["id"], sendUpdates="none").execute()
        self.assertEqual(self.mails(), [])

        body = timed("told", attendees=guests)
        event = self.calls.insert(calendarId="primary", body=body, sendUpdates="externalOnly").execute()
        self.assertEqual(self.mails(), [("guest@example.org", "invitation")])
        patch = {"summary": "told otherwise", "attendees": [{"email": "bob@example.com"}, {"email": "new@example.org"}]}
        self.calls.patch(calendarId="primary", eventId=event["id"], body=patch, sendUpdates="all").execute()
        self.assertEqual(sorted(self.mails()[1:]), [
            ("bob@example.com", "update"), ("guest@example.org", "cancellation"), ("new@example.org", "invitation")])
        self.calls.patch(calendarId="primary", eventId=event["id"], body={"colorId": "3"}, sendUpdates="all").execute()
        self.assertEqual(len(self.mails()), 4, "a colour is each copy's own")
        self.calls.delete(calendarId="primary", eventId=event["id"], sendUpdates="all").execute()
        self.assertEqual(sorted(self.mails()[4:]), [
            ("bob@example.com", "cancellation"), ("new@example.org", "cancellation")])

    def test_an_answer_alone_leaves_the_list(self):
        event = self.insert(attendees=[{"email": ALICE}, {"email": "guest@example.org", "comment": "late"}])
        answer = {"attendeesOmitted": True, "attendees": [{"email": ALICE, "responseStatus": "tentative", "comment": "maybe"}]}
        changed = self.calls.patch(calendarId="primary", eventId=event["id"], body=answer).execute()
        self.assertNotIn("attendeesOmitted", changed)
        own, other = changed["attendees"]
        self.assertEqual((own["responseStatus"], own.get("comment"), own["self"]), ("tentative", None, True))
        self.assertEqual((other["responseStatus"], other["comment"]), ("needsAction", "late"))

    def test_a_series_is_ended_and_another_goes_on(self):
        event = self.insert(recurrence=["RRULE:FREQ=WEEKLY;COUNT=6"])
        instances = self.calls.instances(calendarId="primary", eventId=event["id"]).execute()["items"]
        late = instances[4]
        self.calls.patch(calendarId="primary", eventId=late["id"], body={"summary": "late"}).execute()
        third = instances[2]["start"]["dateTime"][:10]
        ended = self.calls.patch(
            calendarId="primary", eventId=event["id"], body={"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"]}).execute()
        rest = self.insert(start=at(third, 9), end=at(third, 10), recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"])
        both = [self.calls.instances(calendarId="primary", eventId=each["id"]).execute()["items"] for each in (ended, rest)]
        self.assertEqual([len(items) for items in both], [2, 4])
        starts = [item["start"]["dateTime"] for items in both for item in items]
        self.assertEqual(starts, [item["start"]["dateTime"] for item in instances])
        gone = self.calls.get(calendarId="primary", eventId=late["id"]).execute()
        self.assertEqual(gone["status"], "cancelled", "an exception goes with its instance")

    def test_a_reader_does_not_write(self):
        self.refused(403, "requiredAccessLevel", self.calls.insert(calendarId=HOLIDAYS, body=timed("no")))

    def test_moving_to_another_calendar(self):
        event = self.insert()
        target = "family-meier@group.calendar.google.com"
        moved = self.calls.move(calendarId="primary", eventId=event["id"], destination=target).execute()
        self.assertEqual(moved["id"], event["id"])
        self.assertEqual(moved["organizer"]["email"], target)
        self.assertEqual(self.calls.get(calendarId="primary", eventId=event["id"]).execute()["status"], "cancelled")

    def test_free_busy(self):
        self.insert(start=at("2027-05-03", 9), end=at("2027-05-03", 10))
        body = {"timeMin": "2027-05-03T00:00:00Z", "timeMax": "2027-05-04T00:00:00Z", "items": [{"id": ALICE}]}
        busy = self.api.freebusy().query(body=body).execute()["calendars"][ALICE]["busy"]
        self.assertEqual([period["start"] for period in busy], ["2027-05-03T07:00:00Z"])


class Series(Case):
    def setUp(self):
        self.calls = self.api.events()
        body = timed("weekly", "2027-06-07", recurrence=["RRULE:FREQ=WEEKLY;COUNT=6"])
        self.master = self.calls.insert(calendarId="primary", body=body).execute()

    def instances(self, **more):
        calls = self.calls
        pages = []
        request = calls.instances(calendarId="primary", eventId=self.master["id"], **more)
        while request is not None:
            pages.append(request.execute())
            request = calls.instances_next(request, pages[-1])
        return self.items(pages)

    def test_instances_have_ids_of_their_original_start(self):
        instances = self.instances(maxResults=4)
        self.assertEqual(len(instances), 6)
        first = instances[0]
        self.assertEqual(first["id"], f"{self.master['id']}_20270607T070000Z")
        self.assertEqual(first["recurringEventId"], self.master["id"])
        self.assertEqual(first["originalStartTime"], first["start"])
        self.assertEqual(first["iCalUID"], self.master["iCalUID"])
        self.assertNotIn("recurrence", first)

    def test_a_moved_and_a_cancelled_instance_are_exceptions(self):
        token = self.calls.list(calendarId="primary").execute()["nextSyncToken"]
        second, third = self.instances()[1:3]
        moved = self.calls.patch(calendarId="primary", eventId=second["id"],
                                 body={"start": at("2027-06-15", 14), "end": at("2027-06-15", 15)}).execute()
        self.assertEqual(moved["originalStartTime"], second["originalStartTime"])
        self.calls.delete(calendarId="primary", eventId=third["id"]).execute()
        changed = {item["id"]: item for item in self.calls.list(calendarId="primary", syncToken=token).execute()["items"]}
        self.assertEqual(changed[second["id"]]["start"]["dateTime"], "2027-06-15T14:00:00+02:00")
        cancelled = changed[third["id"]]
        self.assertEqual(cancelled["status"], "cancelled")
        self.assertEqual(cancelled["recurringEventId"], self.master["id"])
        self.assertEqual(cancelled["originalStartTime"]["dateTime"], third["originalStartTime"]["dateTime"])
        self.assertEqual(len(self.instances()), 5)
        self.assertEqual(len(self.instances(showDeleted=True)), 6)

    def test_single_events_are_the_instances(self):
        found = self.calls.list(calendarId="primary", singleEvents=True, timeMin="2027-06-01T00:00:00Z",
                                timeMax="2027-06-22T00:00:00Z").execute()["items"]
        own = [item for item in found if item.get("recurringEventId") == self.master["id"]]
        self.assertEqual(len(own), 3)

    def test_a_deleted_series_is_gone_with_its_exceptions(self):
        second = self.instances()[1]
        self.calls.patch(calendarId="primary", eventId=second["id"], body={"summary": "other"}).execute()
        token = self.calls.list(calendarId="primary").execute()["nextSyncToken"]
        self.calls.delete(calendarId="primary", eventId=self.master["id"]).execute()
        changed = self.calls.list(calendarId="primary", syncToken=token).execute()["items"]
        self.assertIn((self.master["id"], "cancelled"), [(item["id"], item["status"]) for item in changed])
        listed = {item["id"] for item in self.calls.list(calendarId="primary", maxResults=2500).execute()["items"]}
        self.assertFalse({self.master["id"], second["id"]} & listed)

    def test_all_day_series(self):
        body = {"summary": "days", "start": {"date": "2027-07-01"}, "end": {"date": "2027-07-02"},
                "recurrence": ["RRULE:FREQ=DAILY;COUNT=3", "EXDATE;VALUE=DATE:20270702"]}
        self.master = self.calls.insert(calendarId="primary", body=body).execute()
        self.assertEqual([item["id"].split("_")[1] for item in self.instances()], ["20270701", "20270703"])


class Receiver(http.server.BaseHTTPRequestHandler):
    """A push receiver: notes the headers, answers 204."""

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        self.server.seen.put((dict(self.headers), self.rfile.read(length)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Pushes(Case):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.server.seen = queue.Queue()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.address = f"http://127.0.0.1:{self.server.server_port}/hook"

    def channel(self, **more):
        return {"id": str(uuid.uuid4()), "type": "web_hook", "address": self.address, "token": "secret", **more}

    def push(self):
        headers, body = self.server.seen.get(timeout=10)
        self.assertEqual(body, b"")
        return {name.lower(): value for name, value in headers.items()}

    def test_watch_pushes_and_stop(self):
        channel = self.channel()
        answer = self.api.events().watch(calendarId="primary", body=channel).execute()
        self.assertEqual((answer["id"], answer["token"]), (channel["id"], "secret"))
        self.assertGreater(int(answer["expiration"]), 1_600_000_000_000)
        sync = self.push()
        self.assertEqual(sync["x-goog-resource-state"], "sync")
        self.assertEqual(sync["x-goog-message-number"], "1")
        self.api.events().insert(calendarId="primary", body=timed("pushed")).execute()
        push = self.push()
        self.assertEqual(push["x-goog-resource-state"], "exists")
        self.assertGreater(int(push["x-goog-message-number"]), 1)
        for name, value in (("id", channel["id"]), ("token", "secret")):
            self.assertEqual(push[f"x-goog-channel-{name}"], value)
        for name, value in (("id", answer["resourceId"]), ("uri", answer["resourceUri"])):
            self.assertEqual(push[f"x-goog-resource-{name}"], value)
        datetime.datetime.strptime(push["x-goog-channel-expiration"], "%a, %d %b %Y %H:%M:%S GMT")
        stop = {"id": channel["id"], "resourceId": answer["resourceId"]}
        self.api.channels().stop(body=stop).execute()
        self.api.events().insert(calendarId="primary", body=timed("not pushed")).execute()
        with self.assertRaises(queue.Empty):
            self.server.seen.get(timeout=0.5)
        self.refused(404, "notFound", self.api.channels().stop(body=stop))

    def test_the_calendar_list_is_watched_too(self):
        answer = self.api.calendarList().watch(body=self.channel()).execute()
        self.assertEqual(self.push()["x-goog-resource-state"], "sync")
        admin("PATCH", "calendars", {"user": ALICE, "id": ALICE, "summaryOverride": "Me"})
        self.assertEqual(self.push()["x-goog-resource-state"], "exists")
        self.api.channels().stop(body={"id": answer["id"], "resourceId": answer["resourceId"]}).execute()

    def test_what_google_refuses_to_watch(self):
        channel = self.channel()
        answer = self.api.events().watch(calendarId="primary", body=channel).execute()
        self.refused(400, "channelIdNotUnique", self.api.events().watch(calendarId="primary", body=channel))
        holidays = self.api.events().watch(calendarId=HOLIDAYS, body=self.channel())
        self.refused(400, "pushNotSupportedForRequestedResource", holidays)
        admin("PATCH", "settings", {"allowHttpCallbacks": False})
        try:
            plain = self.api.events().watch(calendarId="primary", body=self.channel())
            self.refused(400, "push.webhookUrlNotHttps", plain)
        finally:
            admin("PATCH", "settings", {"allowHttpCallbacks": True})
        wrong = {"id": channel["id"], "resourceId": "wrong"}
        self.refused(404, "notFound", self.api.channels().stop(body=wrong))
        self.api.channels().stop(body={**wrong, "resourceId": answer["resourceId"]}).execute()


class Authorization(unittest.TestCase):
    CONFIG = {"web": {
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
        "auth_uri": f"{BASE}/o/oauth2/v2/auth", "token_uri": f"{BASE}/token"}}
    REDIRECT = "http://127.0.0.1:9/callback"
    SCOPES = [SCOPE + "calendar.events", SCOPE + "calendar.calendarlist.readonly"]

    def flow(self, scopes=None):
        return Flow.from_client_config(
            self.CONFIG, scopes or self.SCOPES, redirect_uri=self.REDIRECT, autogenerate_code_verifier=True)

    def consent(self, flow, **decision):
        url, _ = flow.authorization_url(access_type="offline", prompt="consent", login_hint="carol@example.com")
        return admin("POST", "authorize", {"url": url, "user": "carol@example.com", **decision})["location"]

    def test_code_and_pkce(self):
        flow = self.flow()
        flow.fetch_token(authorization_response=self.consent(flow))
        creds = flow.credentials
        self.assertTrue(creds.refresh_token)
        events = service(creds).events().list(calendarId="primary").execute()
        self.assertTrue(events["items"])

    def test_a_wrong_verifier_and_a_code_used_twice(self):
        flow = self.flow()
        location = self.consent(flow)
        flow.code_verifier = "x" * 64
        with self.assertRaisesRegex(Exception, "invalid_grant"):
            flow.fetch_token(authorization_response=location)
        flow = self.flow()
        location = self.consent(flow)
        flow.fetch_token(authorization_response=location)
        with self.assertRaisesRegex(Exception, "invalid_grant"):
            flow.fetch_token(authorization_response=location)

    def test_a_scope_that_was_unticked_is_not_granted(self):
        flow = self.flow()
        location = self.consent(flow, scopes=[self.SCOPES[1]])
        os.environ["OAUTHLIB_RELAX_TOKEN_SCOPE"] = "1"
        self.addCleanup(os.environ.pop, "OAUTHLIB_RELAX_TOKEN_SCOPE")
        flow.fetch_token(authorization_response=location)
        self.assertEqual(flow.credentials.granted_scopes, [self.SCOPES[1]])
        api = service(flow.credentials)
        api.calendarList().list().execute()
        with self.assertRaises(HttpError) as caught:
            api.events().list(calendarId="primary").execute()
        self.assertEqual(caught.exception.status_code, 403)
        self.assertEqual(caught.exception.error_details[0]["reason"], "insufficientPermissions")

    def test_cancel_comes_back_as_an_error(self):
        location = self.consent(self.flow(), deny=True)
        self.assertEqual(urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)["error"], ["access_denied"])

    def test_an_access_token_is_refreshed_by_itself(self):
        tokens = grant("bob@example.com")
        creds = credentials(tokens)
        api = service(creds)
        api.calendarList().list().execute()
        admin("POST", "expire-access-tokens", {"user": "bob@example.com"})
        api.calendarList().list().execute()
        self.assertNotEqual(creds.token, tokens["access_token"])
        self.assertEqual(creds.refresh_token, tokens["refresh_token"])

    def test_revoked_access_ends_everything(self):
        user = "bob@example.com"
        tokens, others = grant(user), grant(user)
        body = urllib.parse.urlencode({"token": tokens["refresh_token"]}).encode()
        with urllib.request.urlopen(f"{BASE}/revoke", body) as answer:
            self.assertEqual(answer.status, 200)
        for each in (tokens, others):
            with self.assertRaises(google.auth.exceptions.RefreshError) as caught:
                credentials(each, token=None).refresh(google.auth.transport.requests.Request())
            self.assertIn("invalid_grant", str(caught.exception))
            with self.assertRaises(google.auth.exceptions.RefreshError):
                service(credentials(each)).calendarList().list().execute()

    def test_who_the_user_is(self):
        flow = self.flow(["openid", SCOPE + "userinfo.email", SCOPE + "calendar.readonly"])
        flow.fetch_token(authorization_response=self.consent(flow))
        request = urllib.request.Request(f"{BASE}/oauth2/v3/userinfo", headers={"Authorization": f"Bearer {flow.credentials.token}"})
        with urllib.request.urlopen(request) as answer:
            info = json.load(answer)
        self.assertEqual((info["email"], info["email_verified"]), ("carol@example.com", True))
        claims = google.oauth2.id_token.verify_token(
            flow.oauth2session.token["id_token"], google.auth.transport.requests.Request(), audience=CLIENT_ID,
            certs_url=f"{BASE}/oauth2/v3/certs")
        self.assertIn(claims["iss"], ("https://accounts.google.com", "accounts.google.com"))
        self.assertEqual((claims["sub"], claims["email"]), (info["sub"], info["email"]))


if __name__ == "__main__":
    # The emulator speaks plain HTTP on the own machine.
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    unittest.main(verbosity=2, warnings="ignore")
