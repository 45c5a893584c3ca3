/** What a route's path means, and which paths both proxies can express. */
import type { Container, List, Route } from "./contracts.ts";
import type { Problem } from "./errors.ts";

const hostnames = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const paths = /^(?:\/[\w.~-]+)*\/?$/;

/**
 * A path covers itself and what is below it, as `/avatar` and `/avatar/7`, never `/avatars`; a slash at its end says
 * nothing.
 */
export function baseOf(path: string): string {
  return path.replace(/\/$/, "");
}

/** The paths of a host that no workload answers there: hidden by one of its routes, and no route themselves. */
export function hiddenOf(routes: List<Route>): string[] {
  const routed = new Set(routes.map(({ path }) => baseOf(path)));
  return [...new Set(routes.flatMap(({ hidden = [] }) => hidden.map(baseOf)))].filter((path) => !routed.has(path));
}

/** Whether `path` is `base` or below it. */
export function covers(base: string, path: string): boolean {
  return `${baseOf(path)}/`.startsWith(`${baseOf(base)}/`);
}

/** A path as a part of a regular expression, in quotes for nginx and in backticks for Traefik. */
export function literally(path: string): string {
  return path.replaceAll(/[^\w/-]/g, "\\$&");
}

/** A value that would be syntax of a proxy is refused here; the rest is quoted where it is written. */
export function routeProblems(name: string, { routes = [], ports = {} }: Container): Problem[] {
  return routes.flatMap(({ host, path, port, hidden = [], strip, sticky }) => {
    const problems: Problem[] = [];
    const say = (value: string, remedy: string): void => {
      problems.push({ key: `${name}.routes`, value, remedy });
    };
    if (!hostnames.test(host)) say(host, "not a DNS name: letters, digits, dots and inner hyphens");
    for (const each of [path, ...hidden, ...(strip === undefined ? [] : [strip])]) {
      if (!each.startsWith("/")) say(each, "a path begins with /");
      else if (!paths.test(each) || /\/\.\.?(\/|$)/.test(each))
        say(each, "a path has letters, digits and -._~ between single slashes, and nothing that may come encoded");
    }
    if (strip !== undefined && !covers(strip, path)) say(strip, `strip: not the beginning of ${path}`);
    if (sticky && !/^[\w-]{1,64}$/.test(sticky.cookie))
      say(sticky.cookie, "a cookie's name has at most 64 letters, digits, hyphens and underscores");
    if (ports[port] === undefined) say(port, `no such port; it has ${Object.keys(ports).join(", ")}`);
    return problems;
  });
}
