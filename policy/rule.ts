/** What a rule is. The pack gives them to Pulumi (index.ts); the tests run them over what a program registers. */

/** A resource as the engine is about to make it. In a preview, reading a property that is not known yet throws. */
export interface Made {
  readonly type: string;
  readonly name: string;
  readonly props: Readonly<Record<string, unknown>>;
  readonly protect: boolean;
  /** The parent's type and name; empty: it has none. */
  readonly parent: { readonly type: string; readonly name: string };
}

interface Common {
  /** As users see it, and name it to change its level. */
  readonly name: string;
  /** Ids of AWS Foundational Security Best Practices (`RDS.2`) and of CIS (`CIS AWS 3.2.3`); none for what no scanner has. */
  readonly controls: readonly string[];
  /** What has to be so. */
  readonly says: string;
  /** A warning in the place of an error. */
  readonly advisory?: true;
}

/** A rule about one resource: it stops the run before that is made. */
export interface ResourceRule extends Common {
  /** The type token. */
  readonly of: string;
  readonly breaks: (props: Made["props"], made: Made) => boolean;
}

export interface Finding {
  readonly on: Made;
  readonly why: string;
}

/** A rule about the stack as a whole: it stops the run after the preview. */
export interface StackRule extends Common {
  readonly findings: (all: readonly Made[]) => readonly Finding[];
}

export type Rule = ResourceRule | StackRule;

/** What `rule` finds in a stack. */
export function findingsOf(rule: Rule, all: readonly Made[]): readonly Finding[] {
  if ("findings" in rule) return rule.findings(all);
  return all
    .filter((made) => made.type === rule.of && rule.breaks(made.props, made))
    .map((made) => ({ on: made, why: rule.says }));
}

/** What `read` returns; undefined where a preview does not know it yet. */
export function known<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && "unknownTypeSentinel" in error) return undefined;
    throw error;
  }
}
