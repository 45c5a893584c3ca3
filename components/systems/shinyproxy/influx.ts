/** `usage`: who signed in and what was started. `metrics`: nodes, services, events. */
export const databases = { usage: "shinyproxy", metrics: "telegraf" } as const;
