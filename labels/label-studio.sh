#!/bin/sh
# Starts a Label Studio of one's own: on this machine alone, nothing sent outside, its data in a folder that stays.
# VENV, DATA and PORT say where; the first start makes a user and an access token, and keeps both in DATA/login.
set -eu
VENV=${VENV:-.venv/studio} DATA=${DATA:-runs/label-studio} PORT=${PORT:-8080}
[ -x "$VENV/bin/label-studio" ] || { echo "no Label Studio in $VENV: run make label-studio" >&2; exit 1; }
"$VENV/bin/python3" -c "import socket; socket.create_server(('127.0.0.1', $PORT))" 2>/dev/null ||
    { echo "port $PORT is taken, and Label Studio would take another: make label-studio STUDIO_PORT=8081" >&2; exit 1; }
umask 077  # login holds a password
mkdir -p "$DATA"
DATA=$(cd "$DATA" && pwd)
random() { od -An -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }
if [ ! -e "$DATA/login" ]; then
    printf 'USERNAME=%s\nPASSWORD=%s\nTOKEN=%s\n' "${EMAIL:-labels@example.com}" "$(random 8)" "$(random 20)" > "$DATA/login.draft"
    mv "$DATA/login.draft" "$DATA/login"
fi
. "$DATA/login"

export LABEL_STUDIO_BASE_DATA_DIR="$DATA" LABEL_STUDIO_HOST="http://127.0.0.1:$PORT"
export LABEL_STUDIO_USERNAME="$USERNAME" LABEL_STUDIO_PASSWORD="$PASSWORD" LABEL_STUDIO_USER_TOKEN="$TOKEN"
export LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN=true LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK=true
export COLLECT_ANALYTICS=false LATEST_VERSION_CHECK=false SENTRY_DSN= FRONTEND_SENTRY_DSN=
# This service, on the same machine, may be its model and receive its events.
export SSRF_PROTECTION_ENABLED=false ML_BLOCK_LOCAL_IP=false
# Without it, suggestions that do not fit the page are dropped without a word.
export fflag_feat_utc_210_prediction_validation_15082025=true

cat <<END
Label Studio starts on http://127.0.0.1:$PORT (about a minute the first time). Data: $DATA
  log in as $USERNAME with the password in $DATA/login
  for tympan labels:  export LABEL_STUDIO_URL=http://127.0.0.1:$PORT LABEL_STUDIO_API_KEY=\$(. $DATA/login && echo \$TOKEN)
END
exec "$VENV/bin/label-studio" start --no-browser --internal-host 127.0.0.1 --port "$PORT" --log-level ERROR
