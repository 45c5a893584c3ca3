/** The linter of GitHub's workflows, from its Go module. */
import { goBinary } from "./go.ts";

import type { Say } from "./cache.ts";

/** The executable's path. Needs Go, and seconds the first time. */
export function actionlint(say?: Say): Promise<string> {
  return goBinary(
    {
      name: "actionlint",
      module: "tools/go/actionlint",
      package: "github.com/rhysd/actionlint/cmd/actionlint",
      version: "1.7.12",
    },
    say,
  );
}
