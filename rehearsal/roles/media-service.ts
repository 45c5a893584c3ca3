import { z } from "zod";

import type { MakeRole } from "../role.ts";
import { index, media, mediaChecks } from "./media.ts";
import { mediaRoutes } from "./media-routes.ts";

const change = z.object({ id: z.uuid(), version: z.number(), title: z.string() });

/** Any of the microservices: every store through one file. With a queue in the file it is an indexer as well. */
export const mediaService: MakeRole = (given) => {
  const app = media(given);
  const { queue } = app.stores.rabbit;
  return {
    name: "media-service",
    title: `Media platform: ${given.env.SERVICE ?? "service"}`,
    port: 8080,
    checks: mediaChecks(app, given.host),
    handle: mediaRoutes(app),
    ...(queue === undefined
      ? {}
      : {
          work: () =>
            app.rabbit.consume(queue, "asset.#", async (message) => {
              const { id, version, title } = change.parse(message);
              await app.search.write(index, id, version, { title });
            }),
        }),
  };
};
