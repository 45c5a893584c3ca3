/** How the throw-away server becomes what a cluster was at a time: bash for the toolbox, and the server's own part. */
import type { File } from "../core/contracts.ts";

/** The throw-away server's files: they go with its container. */
export const cluster = "/tmp/drill";
/** What the toolbox leaves for the server, and the server for the toolbox. */
export const asked = "/tmp/recover";
const why = "/tmp/why";
/** While it is there, nobody may connect, and that is well. */
const busy = "/tmp/recovering";
const said = "/tmp/said";

/** Its own client, as every image with Patroni has Python. */
export const fetcher: File = {
  path: "/run/postgres/fetch.py",
  content: `import shutil
import sys
import urllib.error
import urllib.request

url, path = sys.argv[1:]
try:
    with urllib.request.urlopen(url, timeout=600) as answer, open(path, "wb") as file:
        shutil.copyfileobj(answer, file)
except urllib.error.HTTPError:
    sys.exit(1)  # there is none: the log's end, or a timeline that nobody has begun
except Exception as error:
    print(error, file=sys.stderr)
    sys.exit(200)  # no end of the log: the recovery stops
`,
};

/**
 * Functions for a script with PGHOST at the store: `look TIME` sets AT, cluster, timeline and until; `become` makes the server at
 * `drill` what the cluster was then, and fails in the server's own words. It fetches from here, by a secret path.
 */
export const recovery = (drill: string): string => `drill=${drill}
look() {
  local found
  found=$(wal base "$1")
  read -r AT cluster timeline until <<< "$found"
  export AT
}
become() {
  local word port address before now
  local -x PGHOST=$drill
  rm -f /tmp/serving
  wal serve "$AT" "$cluster" > /tmp/serving &
  trap "kill $!" EXIT
  until read -r word port 2> /dev/null < /tmp/serving; do sleep 1; kill -0 $!; done
  address=$(sql postgres <<< 'SELECT host(inet_client_addr())')
  before=$(started)
  sql postgres <<< "COPY (SELECT 'from=http://$address:$port/$word timeline=$timeline until=$until') TO PROGRAM 'cat > ${asked}'"
  sql postgres <<< "COPY (SELECT 1) TO PROGRAM 'kill -INT \\$(head -n 1 postmaster.pid)'" > /dev/null 2>&1 || :
  while sleep 2; do
    now=$(started || :)
    if [ -n "$now" ] && [ "$now" != "$before" ]; then break; fi
  done
  if [ "$(sql postgres <<< 'SELECT system_identifier FROM pg_control_system()')" != "$cluster" ]; then
    echo "the log does not lead to $until: $(sql postgres <<< "SELECT pg_read_file('${why}')")" >&2
    exit 1
  fi
  kill $!
  trap - EXIT
}`;

/** Its health: a recovery may take hours, and a swarm ends what is unhealthy. */
export const health = ["sh", "-c", `[ -e ${busy} ] || exec pg_isready --host=127.0.0.1 --quiet --timeout=8`];

/**
 * For the server's own loop: becomes the cluster that somebody asks for, and ends with it. Nobody connects before the time
 * is reached, as the cluster's passwords are others.
 */
export const recovering = (password: string): string => `recovered() {
  . ${asked}
  rm -f ${asked} ${why}
  touch ${busy}
  mkdir -m 0700 ${cluster}
  if ! { python3 ${fetcher.path} "$from/base" /dev/stdout | tar -xz -C ${cluster} \\
    && pg_verifybackup --no-parse-wal --exit-on-error --quiet ${cluster}; } 2> ${said}; then
    tail -n 1 ${said} > ${why}
    rm ${busy}
    return
  fi
  rm -f ${cluster}/standby.signal
  : > ${cluster}/postgresql.auto.conf
  touch ${cluster}/recovery.signal
  cat > ${cluster}/postgresql.conf <<CONF
hot_standby = off
restore_command = 'python3 ${fetcher.path} $from/%f %p'
recovery_target_time = '\${until%Z}+00'
recovery_target_timeline = '$timeline'
recovery_target_action = promote
CONF
  postgres -D ${cluster} "$@" 2> ${said} &
  server=$!
  until psql --no-psqlrc --quiet --username=postgres --dbname=postgres > /dev/null 2>&1 <<'SQL'; do sleep 1; done && rm ${busy} &
\\set word \`cat ${password}\`
ALTER ROLE postgres PASSWORD :'word';
SQL
  setter=$!
  wait "$server" || true
  kill "$setter" 2> /dev/null || true
  rm -f ${busy}
  cat ${said} >&2
  { grep -o 'FATAL: .*' ${said} | grep -v 'the database system is' || echo "the server ended without a word"; } | tail -n 1 > ${why}
}`;
