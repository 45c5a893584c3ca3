/** nginx.conf: what is fixed when a stack is deployed. Where the backends are comes from the resolver's file. */
import type { List } from "../core/contracts.ts";
import { baseOf, hiddenOf, literally } from "../core/routes.ts";
import type { PlannedRoute } from "../core/plan.ts";
import { type EdgeArgs, edgePorts, outside } from "./proxy.ts";
import { newerFile, nobody, upstreamsFile, work } from "./nginx-resolver.ts";

/**
 * Largest body of a route that names none: the limit of Pyrus' own ingress. nginx keeps such a body on disk on its way.
 */
const usualBody = "250m";

/** The upstream of a route: routes to one port with the same stickiness share it. */
export function upstreamOf({ to, target, sticky }: PlannedRoute): string {
  return [to, String(target.number), ...(sticky ? [identifier(sticky.cookie)] : [])].join("-");
}

/** nginx' variables for a sticky route's upstream. */
export function stickyVariables(route: PlannedRoute) {
  const of = identifier(upstreamOf(route));
  return { brought: `$brought_${of}`, leads: `$leads_${of}`, answered: `$answered_${of}`, cookie: `$cookie_for_${of}` };
}

/** A name for nginx that differs for any two texts. */
function identifier(text: string): string {
  return text.replaceAll(/[^a-z0-9]/gi, (sign) => `_${sign.charCodeAt(0).toString(16)}`);
}

export function config({ site, routes, tls, proxyProtocol }: EdgeArgs, folder: string): string {
  const hosts = [...new Set(routes.map(({ host }) => host))];
  const sticky = new Map(routes.flatMap((route) => (route.sticky ? [[upstreamOf(route), route] as const] : [])));
  const { http, https } = edgePorts(site);
  const trusted = outside(tls);
  const ports = {
    ...{ http: http.number, https: https.number, trusted: trusted !== undefined },
    way: `ssl http2${proxyProtocol === undefined ? "" : " proxy_protocol"}`,
  };
  return `pid ${work}/nginx.pid;
worker_processes 2;
# A worker of an older configuration goes on until its last request has ended, but not for ever.
worker_shutdown_timeout ${String(Math.max(60, ...routes.map(({ seconds = 60 }) => seconds)))}s;
error_log stderr warn;
worker_rlimit_nofile 16384; # a visitor takes one and his backend another; containers begin with 1024
events { worker_connections 4096; }
http {
  access_log off;
  server_tokens off;
  default_type application/octet-stream;
  client_body_temp_path ${work}/body;
  proxy_temp_path ${work}/proxy;
  fastcgi_temp_path ${work}/fastcgi;
  uwsgi_temp_path ${work}/uwsgi;
  scgi_temp_path ${work}/scgi;
  client_header_buffer_size 8k;
  large_client_header_buffers 8 16k;
  client_max_body_size ${usualBody};
  server_names_hash_bucket_size 256;
  variables_hash_bucket_size 128;

  proxy_http_version 1.1;
  proxy_buffer_size 16k;
  proxy_buffers 32 16k;
  proxy_busy_buffers_size 64k;
  proxy_max_temp_file_size 0; # a slow reader slows the backend down, and fills no disk
  proxy_connect_timeout 1s; # a lost machine answers nothing: the next one is asked
  # Each request has a connection of its own: one that is kept may be closed by a backend that stops, and what was sent
  # on it cannot be sent again.
  proxy_next_upstream error timeout invalid_header http_502 http_503;
  proxy_next_upstream_tries 4;
${headers(ports)
  .map((line) => `  ${line}\n`)
  .join(
    "",
  )}${trusted ? believed(trusted) : ""}${proxyProtocol ? passed(proxyProtocol) : ""}  map $http_upgrade $connection_header { "" close; default upgrade; }
  proxy_hide_header Strict-Transport-Security;
  proxy_hide_header X-Content-Type-Options;

  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:tls:10m;
  ssl_session_tickets off;
  ssl_certificate ${folder}/tls/cert.pem;
  ssl_certificate_key ${folder}/tls/key.pem;
${[...sticky.values()].map(stickyMaps).join("")}
  include ${newerFile};
  include ${upstreamsFile};

  server {
    listen 127.0.0.1:8082;
    location = /health { return 200 "ok\\n"; }
    location / { return 404; }
  }
  server {
    listen ${nobody};
    location / { add_header Retry-After 5 always; return 503; }
  }
  server {
    listen ${String(ports.http)} default_server;
    return 404;
  }
${trusted ? "" : toHttps(hosts, ports)}  server {
    listen ${String(ports.https)} ${ports.way} default_server${proxyProtocol === undefined ? "" : keptAlive};
    return 404;
  }
${hosts
  .map((host) =>
    server(
      host,
      ports,
      routes.filter((route) => route.host === host),
    ),
  )
  .join("")}}
`;
}

/** Where nginx listens. `trusted`: something may end TLS in front of it. `way`: what https is spoken over. */
interface Ports {
  readonly http: number;
  readonly https: number;
  readonly trusted: boolean;
  readonly way: string;
}

/** What passes TCP on forgets a silent connection after some minutes: an empty packet a minute keeps it. */
const keptAlive = " so_keepalive=60s::";

/** All headers: a location that sets one of its own inherits none. */
function headers({ https, trusted }: Ports): string[] {
  return [
    "proxy_set_header Host $http_host;",
    "proxy_set_header X-Real-IP $remote_addr;",
    "proxy_set_header X-Forwarded-For $remote_addr; # not what a stranger claims",
    `proxy_set_header X-Forwarded-Host ${trusted ? "$public_host" : "$http_host"};`,
    `proxy_set_header X-Forwarded-Port ${String(https)};`,
    "proxy_set_header X-Forwarded-Proto https;",
    ...["Forwarded", "X-Forwarded-Prefix", "X-Forwarded-Server"].map((name) => `proxy_set_header ${name} "";`),
  ];
}

/**
 * Plain http is for the balancers that end TLS for us: they say who the visitor is. All other callers are refused: a
 * redirect to https would send a balancer that is missing in the list round for ever. All that the balancers pass on
 * has come by TLS, whatever scheme the last of them names.
 */
function believed(trusted: List<string>): string {
  return `  real_ip_header X-Forwarded-For;
  real_ip_recursive on;
${trusted.map((network) => `  set_real_ip_from ${network};\n`).join("")}  geo $realip_remote_addr $trusted {
    default 0;
${trusted.map((network) => `    ${network} 1;\n`).join("")}  }
  map "$scheme $trusted" $stranger { default 0; "http 0" 1; }
  map "$trusted $http_x_forwarded_host" $public_host { default $http_host; "~^1 .+" $http_x_forwarded_host; }
`;
}

/** The visitor is whom the first bytes of a connection name. */
function passed(networks: List<string>): string {
  return `  real_ip_header proxy_protocol;
${networks.map((network) => `  set_real_ip_from ${network};\n`).join("")}`;
}

function toHttps(hosts: List<string>, { http, https }: Ports): string {
  return `  server {
    listen ${String(http)};
    server_name ${hosts.join(" ")};
    return 308 https://$host${https === 443 ? "" : `:${String(https)}`}$request_uri;
  }
`;
}

/** A visitor without a cookie, or with the cookie of a lost replica, gets the cookie of the replica that answered. */
function stickyMaps(route: PlannedRoute): string {
  const { cookie = "", seconds = 0 } = route.sticky ?? {};
  const of = stickyVariables(route);
  return `
  map $http_cookie ${of.brought} { default ""; "~(?:^|;[ ]*)${cookie}=(?<mark>[0-9a-f]{32})(?:;|$)" $mark; }
  map "${of.brought} ${of.answered}" ${of.cookie} {
    default "${cookie}=${of.answered}; Path=/; Max-Age=${String(seconds)}; Secure; HttpOnly; SameSite=Lax";
    "~ $" ""; # no replica has answered
    "~^([0-9a-f]+) \\1$" "";
  }
`;
}

function server(host: string, ports: Ports, routes: List<PlannedRoute>): string {
  const hidden = hiddenOf(routes);
  // nginx takes the first that fits: the longest path has to come first.
  const locations = [
    ...hidden.map((path): [string, string] => [path, `    location ${matching(path, true)} { return 404; }\n`]),
    ...routes.map((route): [string, string] => [baseOf(route.path), location(route, ports)]),
  ].sort(([a], [b]) => b.length - a.length);
  const { http, https, trusted, way } = ports;
  return `  server {
    listen ${String(https)} ${way};
${trusted ? `    listen ${String(http)};\n    if ($stranger) { return 403; }\n` : ""}    server_name ${host};
${locations.map(([, text]) => text).join("")}${routes.some(({ path }) => path === "/") ? "" : "    location / { return 404; }\n"}  }
`;
}

/** Matches a path and what is below it. For a hidden one case and `;…` do not count: applications may ignore both. */
function matching(path: string, hidden = false): string {
  return hidden ? `~* "^${literally(path)}(?:[/;%]|$)"` : path === "" ? "/" : `~ "^${literally(path)}(?:/|$)"`;
}

function location(route: PlannedRoute, ports: Ports): string {
  const { path, seconds = 60, bodyMib, websocket, sticky, strip } = route;
  const lines = [
    ...(strip === undefined ? [] : [`rewrite "^${literally(baseOf(strip))}/?(.*)$" /$1 break;`]),
    ...(websocket
      ? [
          ...headers(ports),
          "proxy_set_header Upgrade $http_upgrade;",
          "proxy_set_header Connection $connection_header;",
        ]
      : []),
    ...(bodyMib === undefined
      ? []
      : [`client_max_body_size ${String(bodyMib)}m;`, "proxy_request_buffering off;", "proxy_buffering off;"]),
    `proxy_read_timeout ${String(seconds)}s;`,
    `proxy_send_timeout ${String(seconds)}s;`,
    ...(sticky ? [`add_header Set-Cookie ${stickyVariables(route).cookie} always;`] : []),
    'add_header Strict-Transport-Security "max-age=31536000" always;',
    "add_header X-Content-Type-Options nosniff always;",
    `proxy_pass http://${sticky ? stickyVariables(route).leads : upstreamOf(route)};`,
  ];
  return `    location ${matching(baseOf(path))} {\n${lines.map((line) => `      ${line}\n`).join("")}    }\n`;
}
