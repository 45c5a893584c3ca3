#!/bin/sh
# Every program that a slot's agent calls, by the name of the link. Each writes down its call, and acts on the files in
# $MACHINE_ROOT/state, which are the machine's volume, engine and cloud.
me=${0##*/}
s=$MACHINE_ROOT/state
printf '%s\037' "$me" "$@" >>"$s/calls"
printf '\036' >>"$s/calls"

# The agent is killed by its n-th program, before that has done anything.
if [ -e "$s/kill" ]; then
  read -r left <"$s/kill"
  echo $((left - 1)) >"$s/kill"
  if [ "$left" -eq 1 ]; then
    rm "$s/kill"
    kill -9 "$PPID"
    exit 1
  fi
fi
# A program that waits: the pipe is opened by the test.
if [ -p "$s/pause-$me" ]; then
  read -r _ <"$s/pause-$me"
  rm "$s/pause-$me"
fi
if [ -e "$s/error-$me-$1" ]; then
  cat "$s/error-$me-$1" >&2
  exit 254
fi

case $me-$1-$2 in
aws-logs-put-log-events)
  if [ ! -e "$s/stream-$6" ]; then
    echo "An error occurred (ResourceNotFoundException) when calling the PutLogEvents operation: no stream" >&2
    exit 254
  fi
  ;;
aws-logs-create-log-stream) : >"$s/stream-$6" ;;
aws-secretsmanager-*) cat "$s/secret-$6" ;;
aws-ec2-attach-volume)
  held=0
  [ ! -e "$s/held" ] || read -r held <"$s/held"
  if [ "$held" -gt 0 ]; then
    echo $((held - 1)) >"$s/held"
    echo "An error occurred (VolumeInUse) when calling the AttachVolume operation: $4 is already attached" >&2
    exit 254
  fi
  : >"$MACHINE_ROOT/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol1"
  ;;
aws-ec2-describe-volumes)
  tag=other
  [ ! -e "$s/tagged" ] || tag=slot-made
  echo "{\"Volumes\":[{\"Attachments\":[{\"InstanceId\":\"i-old\"}],\"Tags\":[{\"Key\":\"$tag\",\"Value\":\"yes\"}]}]}"
  ;;
aws-ec2-create-tags) : >"$s/tagged" ;;
aws-ecr-*) echo token-of-ecr ;;
blkid-*) cat "$s/content" 2>/dev/null || exit 2 ;;
mkfs.xfs-*)
  [ ! -e "$s/content" ] || exit 1
  printf 'DEVNAME=/dev/nvme1n1\nTYPE=xfs\n' >"$s/content"
  ;;
mount-*) echo "/dev/nvme1n1 $6 xfs rw 0 0" >>"$MACHINE_ROOT/proc/mounts" ;;
iptables-*-C) [ -e "$s/rule" ] || exit 1 ;;
iptables-*-I) : >"$s/rule" ;;
nvidia-smi-*) cat "$s/gpus" ;;
docker-login-*) cat >"$s/password" ;;
docker-container-inspect)
  if [ ! -e "$s/container" ]; then
    echo "[]"
    echo "Error response from daemon: No such container: slot" >&2
    exit 1
  fi
  read -r label <"$s/container"
  read -r status <"$s/status"
  read -r health <"$s/health"
  printf '[{"State":{"Status":"%s","Health":{"Status":"%s","Log":[{"Output":"refused with hunter2hunter2"}]}},' \
    "$status" "$health"
  printf '"Config":{"Labels":{"slot":"%s"},"Healthcheck":{"StartPeriod":120000000000}}}]\n' "$label"
  ;;
docker-stop-*) echo exited >"$s/status" ;;
docker-rm-*)
  read -r status <"$s/status"
  [ "$status" != running ] || exit 1
  rm "$s/container"
  ;;
docker-create-*)
  [ ! -e "$s/container" ] || exit 1 # the name is taken
  : >"$s/sources"
  printf %s "$CHAIN" >"$s/chain"
  for word; do
    case $word in
    slot=*) echo "${word#slot=}" >"$s/container" ;;
    type=bind,source=/var/run/*) ;;
    type=bind,source=/*) word=${word#type=bind,source=} && echo "${word%%,*}" >>"$s/sources" ;;
    type=volume,*) echo "${word##*device=}" >>"$s/sources" ;;
    esac
  done
  echo created >"$s/status"
  ;;
docker-start-*)
  while read -r source; do
    if [ ! -e "$source" ]; then
      echo "bind source path does not exist: $source" >&2
      exit 1
    fi
  done <"$s/sources"
  echo running >"$s/status"
  ;;
docker-logs-*)
  cat "$s/log"
  echo "last words" >&2
  ;;
esac
