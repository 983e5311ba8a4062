/** Small texts that every folder needs. */

/** Names under which this executable is the IPAM plugin; also the IPAM types that claim in the routing table. */
export const IPAM_NAMES: readonly string[] = ["routetable-ipam", "route-table"];

/** What a thrown value says. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A value as a message shows it: short. */
export function shown(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 120)}...` : text;
}
