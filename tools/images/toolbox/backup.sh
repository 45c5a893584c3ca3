#!/bin/bash
# backup schedule | once | drill | healthy | status | runs | restore STORE AT | recover STORE TIME
# backup put NAME | get NAME: a stream into this run of a store ($TO/$STAMP), and out of one ($TO/$AT)
# Each store's script lies in /run/backup/scripts; what the scripts may use is written in components/core/backup.ts.
set -euo pipefail
umask 077

scripts=${SCRIPTS:-/run/backup/scripts}
state=${STATE:-/tmp/backup}
form=%Y-%m-%dT%H-%M-%SZ
export RCLONE_CONFIG=/tmp/rclone.conf RCLONE_LOG_LEVEL=ERROR
mkdir -p "$state"

configure() {
  local new
  new=$(mktemp "$RCLONE_CONFIG.XXXXXX")
  cat /run/backup/rclone/*.conf > "$new" 2> /dev/null || : # a place without keys has none
  mv "$new" "$RCLONE_CONFIG" # at once, as others are reading it
}
fail() { echo "$1" >&2; exit 1; }
stores() { ls "$scripts"; }
of() { TO=$PLACE/$1 LOG=$state/log-$1 bash -euo pipefail "$scripts/$1" "$2"; } # STORE VERB

# What is in a folder of the place, sorted. One that is not there is empty; one that cannot be read is an error, as
# whoever deletes what is not in a list must never be given half of it.
list() { # FOLDER FLAGS…
  local result=0
  rclone lsf "$@" 2> "$state/listed" | sort || result=$?
  if ((result != 0 && result != 3)); then cat "$state/listed" >&2; return "$result"; fi
}

# --- streams -------------------------------------------------------------------------------------------------------

# In parts that are objects of their own, each of at most 256 pieces: no store's limit of parts (1000 at some) or of an
# object's size (5 GiB at some) is ever met, in 64 MiB of memory. NAME.sum says what went in.
put() {
  local name=$TO/$STAMP/$1 scratch sum count
  scratch=$(mktemp -d)
  trap "rm -r $scratch" EXIT
  mkfifo "$scratch/sum" "$scratch/count"
  sha256sum < "$scratch/sum" > "$scratch/sum.out" & sum=$!
  wc -c < "$scratch/count" > "$scratch/count.out" & count=$!
  tee "$scratch/sum" "$scratch/count" \
    | split --bytes="${PART_BYTES:-4G}" --numeric-suffixes --suffix-length=5 \
      --filter='rclone rcat --s3-chunk-size 16Mi --s3-upload-concurrency 2 --buffer-size 0 --retries 1 "$FILE"' - "$name."
  wait "$sum" "$count"
  echo "$(cat "$scratch/count.out") $(cut -d ' ' -f 1 "$scratch/sum.out")" | rclone rcat "$name.sum"
}

# As it went in, or an error at its end.
get() {
  local from=$TO/$AT said scratch sum part
  said=$(rclone cat "$from/$1.sum")
  [[ -n $said ]] || fail "$from/$1 is not there"
  scratch=$(mktemp -d)
  trap "rm -r $scratch" EXIT
  mkfifo "$scratch/sum"
  sha256sum < "$scratch/sum" > "$scratch/sum.out" & sum=$!
  for part in $(parts "$from" "$1" | cut -f 1); do rclone cat --buffer-size 0 "$from/$part"; done | tee "$scratch/sum"
  wait "$sum"
  [[ $(cut -d ' ' -f 1 "$scratch/sum.out") == "${said#* }" ]] || fail "$from/$1 is not what was saved: the place has lost or changed some of it"
}

parts() { # FOLDER NAME: lines of name and bytes
  list "$1" --files-only --format ps --separator $'\t' | awk -F '\t' -v name="$2." \
    'substr($1, 1, length(name)) == name && substr($1, length(name) + 1) ~ /^[0-9]+$/'
}

# STORE: all streams of this run have as many bytes in the place as went in.
whole() {
  local from=$PLACE/$1/$STAMP sum bytes there sums
  sums=$(list "$from" --files-only --include '*.sum')
  for sum in $sums; do
    read -r bytes _ < <(rclone cat "$from/$sum")
    there=$(parts "$from" "${sum%.sum}" | awk -F '\t' '{ bytes += $2 } END { printf "%.0f", bytes }')
    [[ $bytes == "$there" ]] || fail "the place has $there of the $bytes bytes of ${sum%.sum}"
  done
}

# --- one run -------------------------------------------------------------------------------------------------------

# A run counts when all stores are through and checked: only then its time is written to `runs`.
run() {
  local store
  STAMP=$(date -u "+$form")
  AT=$STAMP
  export STAMP AT
  sweep
  trap 'discard "$STAMP"' EXIT
  for store in $(stores); do
    of "$store" dump || fail "backup of $store failed"
    { whole "$store" && of "$store" check; } || fail "backup of $store is not complete"
  done
  date -u "+complete and checked at $form" | rclone rcat "$PLACE/runs/$STAMP"
  trap - EXIT
  echo "$STAMP" > "$state/newest"
  prune || echo "what is too old could not be removed" >&2 # with the next run
  echo "backup $STAMP is complete"
}

runs() { list "$PLACE/runs"; }

discard() { # STAMP
  local store
  for store in $(stores); do rclone purge "$PLACE/$store/$1" 2> /dev/null || :; done
}

# What a killed run has left.
sweep() {
  local store stamp known there
  known=$(runs)
  for store in $(stores); do
    there=$(list "$PLACE/$store" --dirs-only)
    for stamp in ${there//\//}; do
      [[ $stamp != 2*Z ]] || grep -qx "$stamp" <<< "$known" || discard "$stamp"
    done
  done
}

# What is older than KEEP_DAYS goes, but never the newest complete run.
prune() {
  local oldest newest stamp store known
  oldest=$(date -u -d "@$(($(date +%s) - ${KEEP_DAYS%.*} * 86400))" "+$form")
  known=$(runs)
  newest=$(tail -n 1 <<< "$known")
  for stamp in $known; do
    if [[ $stamp < $oldest && $stamp != "$newest" ]]; then
      rclone deletefile "$PLACE/runs/$stamp" # first: what is half gone is no run
      discard "$stamp"
    fi
  done
  for stamp in $(list "$PLACE/drills" | head -n -20); do rclone deletefile "$PLACE/drills/$stamp"; done
  for store in $(stores); do of "$store" prune; done
}

# --- drill ---------------------------------------------------------------------------------------------------------

restore_all() {
  local store
  for store in $(stores); do of "$store" drill || fail "drill: $store cannot be restored as of $AT"; done
}

# What restores: other scripts may do what these could not.
means() { cat "$0" "$scripts"/* | sha256sum | cut -c -16; }

drill() {
  local began result=ok
  exclusive "a drill"
  began=$(date -u "+$form")
  AT=$(runs | tail -n 1)
  [[ -n $AT ]] || fail "there is no complete backup to restore"
  export AT
  try drill "$0" restore_all || result=failed
  echo "$result $AT $(cat "$state/drill")" | tee "$state/drilled" | rclone rcat "$PLACE/drills/$began" || :
  means | rclone rcat "$PLACE/drilled" || :
  rm -f "$state/running"
  [[ $result == ok ]] || return 1
  echo "drill: $AT can be restored"
}

# --- schedule ------------------------------------------------------------------------------------------------------

# One at a time in this container, whoever asks.
exclusive() {
  exec 9> "$state/lock"
  flock 9
  echo "$1 is running since $(date -u "+$form")" > "$state/running"
}

# NAME COMMAND…: where it fails, its last words stay in the file NAME, for the health check.
try() {
  local name=$1 result=0
  shift
  { "$@" 2>&1 >&3 | tee "$state/said" >&2; } 3>&1 || result=$?
  if ((result == 0)); then
    : > "$state/$name"
  else
    # rclone says everything three times, with the number of the request.
    sed -E '/ ERROR : |^\tstatus code:|^split: with/d; s,^[0-9]{4}/[0-9/]+ [0-9:]+ ,,' "$state/said" | tac | awk '!said[$0]++' | tac \
      | tail -n 4 | tr -s '\n\t ' ' ' | cut -c -600 > "$state/$name"
    [[ -s $state/$name ]] || echo "without a word (exit code $result)" > "$state/$name"
  fi
  return "$result"
}

later() { echo $(($(date +%s) + $2)) > "$state/next-$1"; }
due() { (($(date +%s) >= $(cat "$state/next-$1"))); }
seconds() { awk "BEGIN { print int($1 * 3600) }"; }
# A minute, two, four, up to an hour.
patience() { echo $(($1 > 6 ? 3600 : 60 << ($1 - 1))); }

once() {
  local count
  exclusive "a backup"
  if try run "$0" run; then
    later run "$(seconds "$EVERY_HOURS")"
    echo 0 > "$state/failures"
    rclone deletefile "$PLACE/failed" 2> /dev/null || :
    rm -f "$state/running"
    return
  fi
  count=$(($(cat "$state/failures" 2> /dev/null || echo 0) + 1))
  echo "$count" > "$state/failures"
  later run "$(patience "$count")"
  # For the next container, which would try again at once, over and over where a swarm replaces what is unhealthy.
  echo "$count $(date +%s)" | rclone rcat "$PLACE/failed" 2> /dev/null || :
  rm -f "$state/running"
  return 1
}

# Written, read back and deleted: that, and no first backup, is what a deployment waits for.
probe() {
  local at=$PLACE/probe-$HOSTNAME quick="--retries 1 --low-level-retries 1 --contimeout 5s --timeout 10s"
  echo "$at" | rclone rcat $quick "$at"
  [[ $(rclone cat $quick "$at") == "$at" ]] || fail "it does not give back what was written"
  rclone deletefile $quick "$at"
}

# The place knows what earlier containers did.
recall() {
  local newest count at next=0
  newest=$(runs | tail -n 1)
  printf %s "$newest" > "$state/newest" # an empty file, where there is none
  [[ -z $newest ]] || next=$(($(epoch "$newest") + $(seconds "$EVERY_HOURS")))
  echo 0 > "$state/failures"
  if read -r count at < <(rclone cat "$PLACE/failed" 2> /dev/null); then
    echo "$count" > "$state/failures"
    next=$((at + $(patience "$count")))
  fi
  at=$(list "$PLACE/drills" | tail -n 1)
  later drill 0
  [[ -z $at ]] || rclone cat "$PLACE/drills/$at" > "$state/drilled"
  # What other scripts could not restore is tried with these at once, and nothing is wrong until then.
  if grep -q ^failed "$state/drilled" 2> /dev/null && [[ $(rclone cat "$PLACE/drilled" 2> /dev/null) != "$(means)" ]]; then
    rm "$state/drilled"
  elif [[ -n $at ]]; then
    echo $(($(epoch "$at") + $(seconds "$DRILL_HOURS"))) > "$state/next-drill"
    cut -d ' ' -f 3- "$state/drilled" > "$state/drill"
    [[ $(cat "$state/drill") != "" ]] || : > "$state/drill"
  fi
  echo "$next" > "$state/next-run"
}
epoch() { date -u -d "${1:0:10} ${1:11:2}:${1:14:2}:${1:17:2}" +%s; }

# After its time; or with the next run, when the last one could not be restored.
drill_due() {
  local result at
  [[ $(seconds "$DRILL_HOURS") != 0 && -s $state/newest ]] || return 1
  read -r result at _ 2> /dev/null < "$state/drilled" || return 0
  if [[ $result == failed ]]; then [[ $at != "$(cat "$state/newest")" ]]; else due drill; fi
}

# A store's log, for ever, if it has one.
follow() { # STORE
  grep -q '^log() {' "$scripts/$1" || return 0
  until [[ -e $state/place && ! -s $state/place ]]; do sleep 1; done
  until of "$1" log; do sleep 5; done
}

schedule() {
  local store
  trap 'exit 0' TERM INT
  rm -f "$state/running" "$state/next-run" "$state"/log-*
  later place 0
  for store in $(stores); do follow "$store" & done
  while true; do
    tick & wait $! || :
    sleep 5 & wait $!
  done
}

tick() {
  if due place; then
    if try place "$0" probe; then later place 600; else later place 15; fi
  fi
  [[ ! -s $state/place ]] || return 0
  [[ -e $state/next-run ]] || "$0" recall
  # Nothing behind what a log has lost can be restored without the next run.
  if rm "$state"/log-*.gap 2> /dev/null; then later run 0; fi
  if due run; then "$0" once; fi
  if drill_due; then
    later drill "$(seconds "$DRILL_HOURS")"
    "$0" drill
  fi
}

logs() { find "$state" -name 'log-*' ! -name '*.*' | sort; }

healthy() {
  local every newest log
  [[ -e $state/place ]] || fail "$WHERE has not been tried yet"
  [[ ! -s $state/place ]] || fail "$WHERE cannot be written: $(cat "$state/place")"
  if [[ -e $state/running ]]; then cat "$state/running"; return; fi
  [[ ! -s $state/run ]] || fail "the last backup failed: $(cat "$state/run")"
  [[ ! -s $state/drill ]] || fail "a backup cannot be restored: $(cat "$state/drill")"
  for log in $(logs); do
    (($(date +%s) - $(cat "$log") < 900)) || fail "the log of ${log#*/log-} is saved up to $(date -u -d "@$(cat "$log")" "+$form") only: $(cat "$log.why" 2> /dev/null || :)"
  done
  newest=$(cat "$state/newest" 2> /dev/null || :)
  every=$(seconds "$EVERY_HOURS")
  if [[ -z $newest ]]; then echo "the first backup is about to begin"; return; fi
  (($(date +%s) - $(epoch "$newest") < 2 * every + 600)) || fail "the last backup is too old: $newest"
}

status() {
  local at log
  echo "place: $WHERE"
  echo "health: $(healthy 2>&1 && echo well || :)" | tr '\n' ' '
  echo
  for at in $(runs); do echo "run $at: $(rclone cat "$PLACE/runs/$at")"; done
  for at in $(list "$PLACE/drills" | tail -n 3); do echo "drill $at: $(rclone cat "$PLACE/drills/$at")"; done
  for log in $(logs); do
    echo "log of ${log#*/log-}: up to $(date -u -d "@$(cat "$log")" +%Y-%m-%dT%H:%M:%SZ) $(cat "$log.why" 2> /dev/null || :)"
  done
  [[ ! -e $state/next-run ]] || date -u -d "@$(cat "$state/next-run")" "+next run: $form"
  [[ $(seconds "$DRILL_HOURS") == 0 || ! -e $state/next-drill ]] || date -u -d "@$(cat "$state/next-drill")" "+next drill: $form"
}

restore() {
  local store=$1
  AT=$2
  if [[ $AT == latest ]]; then AT=$(runs | tail -n 1); fi
  if [[ -z $AT ]] || ! runs | grep -qx "$AT"; then fail "no complete backup ${2} in $PLACE; there are: $(runs | tr '\n' ' ')"; fi
  export AT
  of "$store" restore
  echo "$store is back as of $AT"
}

recover() { # STORE TIME
  UNTIL=$2
  export UNTIL
  of "$1" recover
  echo "$1 is back as of $2"
}

configure
case ${1:-} in
  schedule | once | run | drill | restore_all | probe | recall | healthy | status | runs) "$1" ;;
  put | get) "$1" "$2" ;;
  restore) restore "$2" "$3" ;;
  recover) recover "$2" "$3" ;;
  *) echo "usage: backup schedule|once|drill|healthy|status|runs|restore STORE AT|recover STORE TIME|put NAME|get NAME" >&2; exit 2 ;;
esac
