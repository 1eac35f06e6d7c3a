#!/bin/sh
# Replaces the copies of services by new ones, as docker-compose.yml and the images are now: the new start beside the old, and
# when they are healthy the old finish what they have begun and go. So there is always somebody who answers.
#
#   sh deploy/replace.sh                    all three services, one after the other
#   sh deploy/replace.sh calendar-api       this one
set -eu
cd -- "$(dirname -- "$0")/.."
if [ $# -eq 0 ]; then
	set -- webhook-ingest calendar-api watch-renewer
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
		echo "$service: the new are not healthy, the old still run. docker compose logs $service says why," \
			"docker compose up --detach --no-deps $service leaves as many as there were" >&2
		exit 1
	fi
	echo "$service: stopping the old"
	# One word for each copy.
	# shellcheck disable=SC2086
	docker stop --time 15 $old >/dev/null && docker rm $old >/dev/null
done
