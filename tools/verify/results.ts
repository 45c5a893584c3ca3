/** What became of each check, from the engine's own events. */

/** A line of `pulumi --event-log`, as far as it is read. */
export interface EngineEvent {
  readonly resOutputsEvent?: { readonly metadata: { readonly urn: string } };
  readonly resOpFailedEvent?: { readonly metadata: { readonly urn: string } };
  readonly diagnosticEvent?: { readonly urn?: string; readonly message: string; readonly severity: string };
}

export interface Result {
  readonly check: string;
  /** `unreached`: something else failed before it. */
  readonly is: "passed" | "failed" | "unreached";
  /** In the provider's own words. */
  readonly why?: string;
}

/** What tells that a part is there: its gate, or its job. */
const proofs = /platform-topologies:index:(?:EcsGate|Job|Machine)$/;

/** `prefix`: what comes before a check's name in the names of its resources. */
export function resultsOf(events: readonly EngineEvent[], checks: readonly string[], prefix: string): Result[] {
  return checks.map((check) => {
    // What it is made of has its name and a word: its log, its secret.
    const its = (urn = ""): boolean => new RegExp(`::${prefix}${check}(-[a-z]+)?$`).test(urn);
    if (events.some(({ resOpFailedEvent }) => its(resOpFailedEvent?.metadata.urn))) {
      const said = events.flatMap(({ diagnosticEvent }) =>
        its(diagnosticEvent?.urn) && diagnosticEvent?.severity === "error" ? [plain(diagnosticEvent.message)] : [],
      );
      return { check, is: "failed", why: said.join("\n") };
    }
    const proved = events.some(({ resOutputsEvent }) => {
      const urn = resOutputsEvent?.metadata.urn;
      const [type = "", name] = urn?.split("::").slice(-2) ?? [];
      return name === prefix + check && proofs.test(type);
    });
    return { check, is: proved ? "passed" : "unreached" };
  });
}

/** Without the engine's marks for colours. */
function plain(message: string): string {
  return message.replaceAll(/<\{%[^%]*%\}>/g, "").trim();
}
