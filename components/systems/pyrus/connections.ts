/** How Pyrus' applications are told where PostgreSQL is: JSON around a connection string of .NET. */
import { all, type Output, secret } from "@pulumi/pulumi";

import type { Dict, File, Given } from "../../core/contracts.ts";
import { dotNetConnection } from "../../core/syntax.ts";

/** The variables of the vendor's chart, and the authorities that they refer to. */
export function connectionStrings(
  main: Given<"postgres">,
  logs: Given<"postgres">,
): { strings: Dict<Output<string>>; files: File[] } {
  const authority = { main: "/run/pyrus/postgresql-ca.pem", logs: "/run/pyrus/logs-ca.pem" };
  const one = (name: string, type: string, of: "main" | "logs", database: string): Output<string> => {
    const { host, port, user, password, tls, ca } = of === "main" ? main : logs;
    return secret(
      all([host, password]).apply(([at, value]) =>
        JSON.stringify({
          ConnectionName: name,
          ConnectionString: dotNetConnection({
            Server: at,
            Port: String(port),
            Username: user,
            Password: value,
            Database: database,
            ...(tls === true ? { "SSL Mode": "VerifyFull" } : {}), // by the public authorities, or by its own
            ...(ca === undefined ? {} : { "Root Certificate": authority[of] }),
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
