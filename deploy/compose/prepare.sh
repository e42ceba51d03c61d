#!/bin/sh
# Makes secrets/: a file for each key. What is there already stays.
#
# The three programs run as users of their own, so the files are readable by all; the folder around them is not, and no container
# goes through it.
set -eu
cd "$(dirname "$0")"
chmod 700 .
mkdir -p secrets
for name in team-a admin-token grafana-admin; do
  [ -s "secrets/$name" ] || head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' >"secrets/$name"
done
if [ ! -s secrets/openai ]; then
  if [ -n "${OPENAI_API_KEY:-}" ]; then
    printf %s "$OPENAI_API_KEY" >secrets/openai
  else
    printf %s fake-provider-key >secrets/openai
    echo 'secrets/openai holds no real key yet: write yours into it, now or while the gateway runs' >&2
  fi
fi
chmod 755 secrets
chmod 644 secrets/*
echo "clients send: Authorization: Bearer $(cat secrets/team-a)"
