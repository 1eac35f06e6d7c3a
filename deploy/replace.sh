#!/bin/sh
# Replaces the copies of services with new ones from the current docker-compose.yml and images. New copies start beside the old;
# when they are healthy, the old ones finish their work in flight and stop. So requests are always answered.
#
#   sh deploy/replace.sh                    all three services, one after the other
#   sh deploy/replace.sh calendar-api       this one
set -eu
cd -- "$(dirname -- "$0")/.."
if [ $# -eq 0 ]; then
	# calendar-api first: it alone reads events for users, and a new copy reads what old services write, in whichever form. The
	# reverse does not hold, so while old and new copies of it run side by side, an old one may not show what a new one has just
	# written. watch-renewer last: with newer zone rules it expands all calendars, when no other service has the old rules.
	set -- calendar-api webhook-ingest watch-renewer
fi

for service in "$@"; do
	old=$(docker compose ps --quiet "$service")
	copies=$(printf '%s' "$old" | grep -c . || true)
	if [ "$copies" -eq 0 ]; then
		echo "$service does not run: docker compose up --detach" >&2
		exit 1
	fi
	echo "$service: starting $copies beside the old"
	if ! docker compose up --detach --wait --no-deps --no-recreate --scale "$service=$((copies * 2))" "$service"; then
		echo "$service: the new copies are not healthy, the old ones still run. docker compose logs $service shows why;" \
			"docker compose up --detach --no-deps $service restores the former number" >&2
		exit 1
	fi
	echo "$service: stopping the old"
	# One argument per copy.
	# shellcheck disable=SC2086
	docker stop --time 15 $old >/dev/null && docker rm $old >/dev/null
done
