#!/bin/sh
exec node /opt/rehearsal/main.js grafana "$@"
