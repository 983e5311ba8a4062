/** What one request claims: an address of each prefix, and reservations, all in one window. */
import { bits, type Cidr } from "../ip.ts";
import { claimIn, type Claiming } from "./attempt.ts";
import { fillReservations, takeReservation } from "./reserve.ts";

/** Claims an address of each prefix, all in the same window, and what is missing of the reservations with them. On failure nothing stays claimed. */
export async function claimAll(claiming: Claiming): Promise<Cidr[]> {
  const { config: { prefixes, requested }, claims } = claiming;
  const asked = ({ ip }: Cidr) => requested.find(({ version }) => version === ip.version);
  const ready = prefixes.map((prefix) => ({ prefix, claim: takeReservation(claiming, prefix, asked(prefix)) }));
  const claimed = Promise.allSettled(
    ready.map(async ({ prefix, claim }) => claim ?? await claimIn(claiming, prefix, asked(prefix))),
  );
  // The last addresses of a prefix are for the container, and for the gateway whose claim begins beside it, at once.
  await Promise.resolve();
  // Only an ADD that waits for a window also makes reservations.
  const reserved = ready.flatMap(({ prefix, claim }) =>
    claim === undefined ? [fillReservations(claiming, prefix)] : []
  );
  const settled = await claimed;
  await Promise.all(reserved);
  const failed = settled.find((one) => one.status === "rejected");
  const held = settled.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
  if (failed === undefined) {
    return held.map(({ ip }, index) => ({ ip, length: prefixes[index]?.length ?? bits(ip.version) }));
  }
  for (const claim of held) claims.release(claim);
  throw failed.reason;
}
