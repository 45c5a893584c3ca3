/** How the resources' classes keep values encrypted in the state. */
import * as pulumi from "@pulumi/pulumi";

/** The arguments, with what logs must not show as a secret. */
export function redacting<A extends { readonly redact?: pulumi.Input<readonly pulumi.Input<string>[]> }>(args: A): A {
  return { ...args, redact: args.redact && pulumi.secret(args.redact) };
}

/** The options, by which these properties stay secret when the provider gives them back. */
export function hide(
  opts: pulumi.CustomResourceOptions | undefined,
  ...properties: string[]
): pulumi.CustomResourceOptions {
  return { ...opts, additionalSecretOutputs: [...(opts?.additionalSecretOutputs ?? []), ...properties] };
}
