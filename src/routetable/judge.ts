/**
 * Who keeps an address in the window in which its claim spreads: what is seen goes in, a decision comes out.
 *
 * A route of another node's may belong to somebody who has the address, or to somebody who claims it at this very moment. Claimants
 * hear each other's probes; of two, the one with the lower hardware address of its device keeps the claim, and both sides compare the
 * same two values. Times are milliseconds of one clock.
 */

/** Something that was seen of the address. */
export type Seen =
  | { what: "route"; added: boolean; key: string }
  | { what: "probe" | "use"; mac: string }
  /** Changes that the kernel had to drop may have been about our address. */
  | { what: "missed" };

/** What is known so far. */
interface Contest {
  /** Hardware address of our device. */
  readonly mac: string;
  /** Whether there is a broadcast domain to ask. */
  readonly probes: boolean;
  readonly start: number;
  /** Length of the window. */
  readonly timeout: number;
  /** Routes of others to the address that stand now. */
  readonly foreign: readonly string[];
  /** Another claimant was heard, and has to give up. */
  readonly beaten: boolean;
  /** Until when the owner of a foreign route may show itself as a claimant. */
  readonly graceEnd: number | undefined;
  readonly lost: string | undefined;
  /** Probes that are sent on time, and whether one more is owed to somebody who asked. */
  readonly sent: number;
  readonly owed: boolean;
}

/** What to do now. */
interface Decision {
  /** Why the address cannot be kept; `ours` when it can; undefined while that is not known. */
  verdict: "ours" | { lost: string } | undefined;
  probe: boolean;
  /** Milliseconds until time alone changes something. */
  wait: number;
  contest: Contest;
}

/** Probes in one window. */
const PROBES = 3;
/** Milliseconds in which the owner of a foreign route may show itself as a claimant. */
const GRACE = 40;
/** Milliseconds beyond the window in which the route of a claimant that gave up may still be there: BIRD's OSPF was seen to need 3 s (docs/routing.md). */
const LINGER = 5000;

export function beginContest(own: { mac: string; probes: boolean; start: number; timeout: number }): Contest {
  return { ...own, foreign: [], beaten: false, graceEnd: undefined, lost: undefined, sent: 0, owed: false };
}

/** The contest after something was seen. */
export function judge(contest: Contest, seen: Seen, now: number): Contest {
  switch (seen.what) {
    case "missed":
      return { ...contest, lost: "routes changed faster than they could be watched" };
    case "use":
      return { ...contest, lost: `it is in use by ${seen.mac}` };
    case "probe": {
      // The other side must hear of us, whoever wins.
      const heard = { ...contest, owed: true };
      if (contest.mac < seen.mac) return { ...heard, beaten: true };
      return { ...heard, lost: contest.lost ?? `${seen.mac} claims it at the same time` };
    }
    case "route": {
      const others = contest.foreign.filter((key) => key !== seen.key);
      const foreign = seen.added ? [...others, seen.key] : others;
      // A route that was withdrawn counts too: somebody held the address during the window.
      const isNews = !contest.beaten && contest.graceEnd === undefined;
      if (!isNews) return { ...contest, foreign };
      return { ...contest, foreign, graceEnd: now + (contest.probes ? GRACE : 0), owed: contest.probes };
    }
  }
}

/** What follows from it at this moment. */
export function decide(contest: Contest, now: number): Decision {
  const elapsed = now - contest.start;
  const isDue = contest.sent < PROBES && elapsed >= dueAt(contest);
  const next: Contest = { ...contest, owed: false, sent: contest.sent + (isDue ? 1 : 0) };
  const graceEnd = contest.beaten ? undefined : contest.graceEnd;
  return {
    verdict: verdictOf(contest, { now, elapsed, graceEnd }),
    probe: contest.probes && (isDue || contest.owed),
    wait: Math.max(1, waitOf(next, { now, elapsed, graceEnd })),
    contest: next,
  };
}

interface Moment {
  now: number;
  elapsed: number;
  graceEnd: number | undefined;
}

function verdictOf({ lost, foreign, timeout }: Contest, { now, elapsed, graceEnd }: Moment): Decision["verdict"] {
  if (lost !== undefined) return { lost };
  if (graceEnd !== undefined) return now >= graceEnd ? { lost: "a route of another node leads to it" } : undefined;
  if (elapsed < timeout) return undefined;
  if (foreign.length === 0) return "ours";
  return elapsed > timeout + LINGER ? { lost: "a route of another node leads to it, and stays" } : undefined;
}

function waitOf(contest: Contest, { now, elapsed, graceEnd }: Moment): number {
  const { timeout } = contest;
  const end = elapsed < timeout ? timeout : timeout + LINGER;
  const probe = contest.sent < PROBES ? dueAt(contest) - elapsed : Infinity;
  return Math.min(end - elapsed, probe, graceEnd === undefined ? Infinity : graceEnd - now);
}

/** When the next probe is to be sent, after the start. */
function dueAt({ sent, timeout }: Contest): number {
  return sent * timeout / PROBES;
}
