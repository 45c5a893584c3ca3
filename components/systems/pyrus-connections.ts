/** How Pyrus' applications are told where PostgreSQL is: JSON around a connection string of .NET. */
import { all, type Output, secret } from "@pulumi/pulumi";

import type { Dict, File, Given } from "../core/contracts.ts";

/** The variables of the vendor's chart, and the authorities that they refer to. */
export function connectionStrings(
  main: Given<"postgres">,
  logs: Given<"postgres">,
): { strings: Dict<Output<string>>; files: File[] } {
  const authority = { main: "/run/pyrus/postgresql-ca.pem", logs: "/run/pyrus/logs-ca.pem" };
  const one = (name: string, type: string, of: "main" | "logs", database: string): Output<string> => {
    const { host, port, user, password, ca } = of === "main" ? main : logs;
    return secret(
      all([host, password]).apply(([at, value]) =>
        JSON.stringify({
          ConnectionName: name,
          ConnectionString: dotNet({
            Server: at,
            Port: String(port),
            Username: user,
            Password: value,
            Database: database,
            ...(ca === undefined ? {} : { "SSL Mode": "VerifyFull", "Root Certificate": authority[of] }),
          }),
          DatabaseEngine: "Postgres",
          DatabaseType: type,
        }),
      ),
    );
  };
  return {
    strings: {
      MAIN_CONN_STRING: one("default", "Data", "main", "pyrusdb"),
      FILES_CONN_STRING: one("files", "Files", "main", "pyrusdb"),
      PRIVATE_LOGS_CONN_STRING: one("privateLogs", "PrivateLogs", "logs", "pyrus_logs"),
      PUBLIC_LOGS_CONN_STRING: one("publicLogs", "PublicLogs", "logs", "pyrus_logs"),
    },
    files: [
      ...(main.ca === undefined ? [] : [{ path: authority.main, content: main.ca }]),
      ...(logs.ca === undefined ? [] : [{ path: authority.logs, content: logs.ca }]),
    ],
  };
}

/** `key=value;`, a value in quotes where it would end early. */
function dotNet(values: Dict<string>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}=${/[;'"=\s]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value};`)
    .join("");
}
