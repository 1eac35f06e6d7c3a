#!/bin/sh
# Creates the secrets that docker-compose.yml mounts as files. Existing files are kept, so it may be run again.
#
#   sh deploy/secrets.sh            into deploy/secrets
#   sh deploy/secrets.sh --demo     into deploy/demo-secrets, with the emulator's OAuth client
set -eu
here=$(dirname -- "$0")
folder=$here/secrets
google=
if [ "${1:-}" = --demo ]; then
	folder=$here/demo-secrets
	google=GOCSPX-emulator-client-secret
elif [ $# -gt 0 ]; then
	echo "usage: sh deploy/secrets.sh [--demo]" >&2
	exit 2
fi
command -v openssl >/dev/null || { echo "openssl is needed to create secrets" >&2; exit 1; }

# The folder keeps others out. The files in it are mounted one by one into containers whose users are not the files' owner.
mkdir -p "$folder"
chmod 700 "$folder"

# put NAME VALUE: creates the file unless it exists.
put() {
	if [ ! -e "$folder/$1" ]; then
		printf '%s\n' "$2" >"$folder/$1"
		chmod 644 "$folder/$1"
		echo "created $folder/$1"
	fi
}

put postgres_password "$(openssl rand -hex 32)"
put database_url "postgres://calwire:$(cat "$folder/postgres_password")@postgres:5432/calwire"
put centrifugo_api_key "$(openssl rand -hex 32)"
put centrifugo_token_secret "$(openssl rand -hex 32)"
put auth_hs256_secret "$(openssl rand -hex 32)"
put token_keys "1:$(openssl rand -base64 32)"
put grafana_password "$(openssl rand -hex 16)"
put google_client_secret "$google"
if [ ! -s "$folder/google_client_secret" ] || [ -z "$(cat "$folder/google_client_secret")" ]; then
	echo "write the OAuth client's secret into $folder/google_client_secret"
fi
