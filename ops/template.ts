/** A swarm reads environment, hostname, mounts and their options as Go templates. This template says just `text`. */
export function swarmText(text: string): string {
  return text.replaceAll("{{", '{{"{{"}}');
}
