/** Where Traefik finds the routes that the loop writes. */
export const watched = "/tmp/traefik";

/** How the routes' template names a server that stands for each address of `host`. */
export function eachOf(host: string): string {
  return `each-of.${host}`;
}

/**
 * Shell that keeps the servers of sticky routes up to date, in the background: each `- url:` line with such a host
 * becomes one for each address that the name has. It asks twice a second, as a replica leaves the swarm's DNS two
 * seconds before it is told to stop. A name without an answer keeps its last addresses, as DNS itself may fail. The new
 * file is moved into its place whole.
 *
 * The official image has busybox with nslookup; others have getent.
 */
export function watchScript(template: string): string {
  return `
mkdir -p ${watched}
resolve() {
  { getent ahostsv4 "$1" 2>/dev/null || nslookup "$1" 2>/dev/null | sed '1,/^$/d'; } |
    grep -oE '([0-9]{1,3}\\.){3}[0-9]{1,3}' | sort -u
}
render() {
  while IFS= read -r line; do
    case "$line" in
      *"- url: "*"://each-of."*)
        host=\${line#*://each-of.}; host=\${host%%:*}
        for address in $(cat "/tmp/$host.addresses"); do
          printf '%s\\n' "\${line%%each-of."$host"*}$address\${line#*"$host"}"
        done ;;
      *) printf '%s\\n' "$line" ;;
    esac
  done < ${template}
}
hosts=$(sed -n 's#.*- url: .*://each-of\\.\\([^:]*\\):.*#\\1#p' ${template} | sort -u)
for host in $hosts; do : > "/tmp/$host.addresses"; done
look() {
  changed=no
  for host in $hosts; do
    found=$(resolve "$host")
    if [ -n "$found" ] && [ "$found" != "$(cat "/tmp/$host.addresses")" ]; then
      printf '%s\\n' "$found" > "/tmp/$host.addresses"
      changed=yes
    fi
  done
}
write() { render > /tmp/routes.new && mv /tmp/routes.new ${watched}/routes.yml; }
write
while :; do
  look
  if [ $changed = yes ]; then write; fi
  sleep 0.5
done &`;
}
