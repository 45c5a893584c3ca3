#!/bin/bash
# backup schedule | once | healthy | runs | restore STORE AT
# Each store's script lies in /run/backup/scripts; what the scripts may use is written in components/core/backup.ts.
set -euo pipefail
umask 077

scripts=/run/backup/scripts
state=/tmp/backup-state
export RCLONE_CONFIG=/tmp/rclone.conf RCLONE_LOG_LEVEL=ERROR

configure() { cat /run/backup/rclone/*.conf > "$RCLONE_CONFIG" 2>/dev/null || : > "$RCLONE_CONFIG"; }

# A run counts when all stores are through: only then its time is written to `runs`.
once() {
  local store
  STAMP=$(date -u +%Y-%m-%dT%H-%M-%SZ)
  export STAMP
  for script in "$scripts"/*; do
    store=$(basename "$script")
    TO=$PLACE/$store bash -euo pipefail "$script" || { echo "backup of $store failed" >&2; return 1; }
  done
  echo "$STAMP" | rclone rcat "$PLACE/runs/$STAMP"
  prune
  echo "backup $STAMP is complete"
}

runs() { rclone lsf "$PLACE/runs" 2>/dev/null | sort; }

# What is older than KEEP_DAYS goes, but never the newest complete run.
prune() {
  local oldest newest stamp
  oldest=$(date -u -d "-${KEEP_DAYS} days" +%Y-%m-%dT%H-%M-%SZ 2>/dev/null || date -u -d "@$(($(date +%s) - ${KEEP_DAYS%.*} * 86400))" +%Y-%m-%dT%H-%M-%SZ)
  newest=$(runs | tail -n 1)
  for stamp in $(runs); do
    if [[ $stamp < $oldest && $stamp != "$newest" ]]; then
      for script in "$scripts"/*; do
        rclone purge "$PLACE/$(basename "$script")/$stamp" 2>/dev/null || true
        rclone purge "$PLACE/$(basename "$script")/archive/$stamp" 2>/dev/null || true
      done
      rclone deletefile "$PLACE/runs/$stamp"
    fi
  done
}

schedule() {
  local seconds pause
  seconds=$(awk "BEGIN { print int($EVERY_HOURS * 3600) }")
  trap 'exit 0' TERM INT
  while true; do
    if once; then
      echo "ok $(date +%s) $seconds" > "$state"
      pause=$seconds
    else
      echo "failed $(date +%s) $seconds" > "$state"
      pause=60 # soon again: a store may be restarting
    fi
    sleep "$pause" & wait $!
  done
}

healthy() {
  local result at every
  read -r result at every < "$state" || { echo "no backup yet" >&2; exit 1; }
  [[ $result == ok ]] || { echo "the last backup failed" >&2; exit 1; }
  (($(date +%s) - at < 2 * every + 600)) || { echo "the last backup is too old" >&2; exit 1; }
}

restore() {
  local store=$1
  AT=$2
  TO=$PLACE/$store
  if [[ $AT == latest ]]; then AT=$(runs | tail -n 1); fi
  if [[ -z $AT ]] || ! runs | grep -qx "$AT"; then echo "no complete backup ${2} in $PLACE; there are: $(runs | tr '\n' ' ')" >&2; exit 1; fi
  export AT TO
  bash -euo pipefail "$scripts/$store"
  echo "$store is back as of $AT"
}

configure
case ${1:-} in
  schedule | once | healthy | runs) "$1" ;;
  restore) restore "$2" "$3" ;;
  *) echo "usage: backup schedule|once|healthy|runs|restore STORE AT" >&2; exit 2 ;;
esac
