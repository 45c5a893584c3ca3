/** A swarm takes environment, hostname, mounts and their options for Go templates: this one says what was written. */
export function swarmText(text: string): string {
  return text.replaceAll("{{", '{{"{{"}}');
}
