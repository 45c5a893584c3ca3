#!/bin/sh
# Every program that a node's agent calls but Docker, by the name of the link. Each writes down its call. The files in
# $CLOUD are what AWS knows.
me=${0##*/}
printf '%s\037' "$me" "$@" >>"$MACHINE_ROOT/state/calls"
printf '\036' >>"$MACHINE_ROOT/state/calls"

case $me-$1-$2 in
aws-secretsmanager-get-secret-value)
  if [ ! -e "$CLOUD/$4" ]; then
    echo "An error occurred (ResourceNotFoundException) when calling the GetSecretValue operation: no version" >&2
    exit 254
  fi
  printf '{"SecretString":"%s"}' "$(cat "$CLOUD/$4")"
  ;;
aws-secretsmanager-put-secret-value)
  [ "$6" = file:///dev/stdin ] || exit 2
  cat >"$CLOUD/$4"
  ;;
aws-ec2-describe-instances) cat "$CLOUD/instances.json" ;;
aws-autoscaling-describe-auto-scaling-groups) cat "$CLOUD/groups.json" ;;
esac
