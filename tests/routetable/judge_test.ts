/** Who keeps an address: what is seen in the window, and when, against verdict and probes. Times are milliseconds after the window's begin. */
import { deepEqual, equal } from "node:assert/strict";
import { beginContest, decide, judge, type Seen } from "../../src/routetable/judge.ts";

const OWN = "02:00:00:00:00:05";
const LOWER = "02:00:00:00:00:04";
const HIGHER = "02:00:00:00:00:06";
const START = 7000;
const WINDOW = 300;
const GRACE = 40;
const LINGER = 5000;

type Event = [at: number, seen: Seen];

const use = (mac: string): Seen => ({ what: "use", mac });
const probe = (mac: string): Seen => ({ what: "probe", mac });
const came = (key = "254/32/12"): Seen => ({ what: "route", added: true, key });
const went = (key = "254/32/12"): Seen => ({ what: "route", added: false, key });
const missed: Seen = { what: "missed" };

interface Ended {
  verdict: string;
  /** When it was known. */
  at: number;
  /** When probes were sent. */
  probes: number[];
}

/** Looks whenever something is seen, and when the decision before said that time alone changes something. */
function play(events: readonly Event[], { probes = true, timeout = WINDOW } = {}): Ended {
  let contest = beginContest({ mac: OWN, probes, start: START, timeout });
  const sent: number[] = [];
  const left = [...events];
  for (let at = 0;;) {
    for (; left[0] !== undefined && left[0][0] <= at; left.shift()) contest = judge(contest, left[0][1], START + at);
    const { verdict, probe, wait, contest: next } = decide(contest, START + at);
    contest = next;
    if (probe) sent.push(at);
    if (verdict !== undefined) return { verdict: verdict === "ours" ? "ours" : verdict.lost, at, probes: sent };
    at = Math.min(at + wait, left[0]?.[0] ?? Infinity);
  }
}

const ROUTE = "a route of another node leads to it";
const THREE = [0, 100, 200];

const CASES: [what: string, events: Event[], ended: Ended][] = [
  ["nothing is seen: ours when the window is over", [], { verdict: "ours", at: 300, probes: THREE }],
  ["somebody has it", [[50, use(HIGHER)]], { verdict: `it is in use by ${HIGHER}`, at: 50, probes: [0] }],
  ["who has it keeps it, however high or low", [[50, use(LOWER)]], {
    verdict: `it is in use by ${LOWER}`,
    at: 50,
    probes: [0],
  }],
  ["of two claimants the lower one keeps it: the other hears of us at once", [[50, probe(HIGHER)]], {
    verdict: "ours",
    at: 300,
    probes: [0, 50, 100, 200],
  }],
  ["the higher one gives up, and is heard all the same", [[50, probe(LOWER)]], {
    verdict: `${LOWER} claims it at the same time`,
    at: 50,
    probes: [0, 50],
  }],
  ["a claimant that asks again is told again", [[50, probe(HIGHER)], [60, probe(HIGHER)]], {
    verdict: "ours",
    at: 300,
    probes: [0, 50, 60, 100, 200],
  }],
  ["of three claimants the lowest one keeps it", [[50, probe(HIGHER)], [60, probe(LOWER)]], {
    verdict: `${LOWER} claims it at the same time`,
    at: 60,
    probes: [0, 50, 60],
  }],
  ["two questions at a time are one answer, on time as well", [[100, probe(HIGHER)], [100, probe(HIGHER)]], {
    verdict: "ours",
    at: 300,
    probes: THREE,
  }],
  ["who has it goes before who claims it", [[50, probe(LOWER)], [50, use(HIGHER)]], {
    verdict: `it is in use by ${HIGHER}`,
    at: 50,
    probes: [0, 50],
  }],
  ["in whatever order they are heard", [[50, use(HIGHER)], [50, probe(LOWER)]], {
    verdict: `it is in use by ${HIGHER}`,
    at: 50,
    probes: [0, 50],
  }],
  ["a route without a claimant is somebody's: after the grace it is lost", [[50, came()]], {
    verdict: ROUTE,
    at: 50 + GRACE,
    probes: [0, 50],
  }],
  ["a route that came and went counts too", [[50, came()], [60, went()]], {
    verdict: ROUTE,
    at: 50 + GRACE,
    probes: [0, 50],
  }],
  ["a route that only went was there", [[50, went()]], { verdict: ROUTE, at: 50 + GRACE, probes: [0, 50] }],
  ["the grace is that of the first route", [[50, came("a")], [80, came("b")]], {
    verdict: ROUTE,
    at: 50 + GRACE,
    probes: [0, 50],
  }],
  ["the grace may go beyond the window", [[280, came()], [285, went()]], {
    verdict: ROUTE,
    at: 280 + GRACE,
    probes: [...THREE, 280],
  }],
  ["a claimant that shows itself in the grace and has to give up", [[50, came()], [70, probe(HIGHER)], [120, went()]], {
    verdict: "ours",
    at: 300,
    probes: [0, 50, 70, 100, 200],
  }],
  ["a claimant that shows itself in the grace and is lower", [[50, came()], [70, probe(LOWER)]], {
    verdict: `${LOWER} claims it at the same time`,
    at: 70,
    probes: [0, 50, 70],
  }],
  ["a claimant that shows itself at the end of the grace", [[50, came()], [90, probe(HIGHER)], [95, went()]], {
    verdict: "ours",
    at: 300,
    probes: [0, 50, 90, 100, 200],
  }],
  ["a claimant that shows itself too late", [[50, came()], [91, probe(HIGHER)], [95, went()]], {
    verdict: ROUTE,
    at: 90,
    probes: [0, 50],
  }],
  ["a claimant in the grace beyond the window", [[280, came()], [310, went()], [315, probe(HIGHER)]], {
    verdict: "ours",
    at: 315,
    probes: [...THREE, 280, 315],
  }],
  ["a claimant that was heard before its route needs no grace", [[50, probe(HIGHER)], [80, came()], [200, went()]], {
    verdict: "ours",
    at: 300,
    probes: [0, 50, 100, 200],
  }],
  ["the loser's route lingers beyond the window", [[50, came()], [60, probe(HIGHER)], [2000, went()]], {
    verdict: "ours",
    at: 2000,
    probes: [0, 50, 60, 100, 200],
  }],
  ["a route that stays for ever is no loser's", [[50, came()], [60, probe(HIGHER)]], {
    verdict: `${ROUTE}, and stays`,
    at: WINDOW + LINGER + 1,
    probes: [0, 50, 60, 100, 200],
  }],
  ["somebody who has it is believed while a route lingers", [
    [50, came()],
    [60, probe(HIGHER)],
    [1000, use(HIGHER)],
  ], { verdict: `it is in use by ${HIGHER}`, at: 1000, probes: [0, 50, 60, 100, 200] }],
  ["all routes must be gone", [[50, probe(HIGHER)], [60, came("a")], [70, came("b")], [80, went("a")]], {
    verdict: `${ROUTE}, and stays`,
    at: WINDOW + LINGER + 1,
    probes: [0, 50, 100, 200],
  }],
  ["a route that is replaced by itself is one", [[50, probe(HIGHER)], [60, came()], [70, came()], [80, went()]], {
    verdict: "ours",
    at: 300,
    probes: [0, 50, 100, 200],
  }],
  ["changes that were missed may have been about it", [[50, missed]], {
    verdict: "routes changed faster than they could be watched",
    at: 50,
    probes: [0],
  }],
];

for (const [what, events, ended] of CASES) {
  Deno.test(`judge: ${what}`, () => deepEqual(play(events), ended));
}

Deno.test("judge: without a broadcast domain nobody is asked, and a route is lost at once", () => {
  const silent = { probes: false };
  deepEqual(play([], silent), { verdict: "ours", at: 300, probes: [] });
  deepEqual(play([[50, came()]], silent), { verdict: ROUTE, at: 50, probes: [] });
  deepEqual(play([[50, came()], [50, went()]], silent), { verdict: ROUTE, at: 50, probes: [] });
  deepEqual(play([[50, missed]], silent).at, 50);
});

Deno.test("judge: probes are sent at the begin, a third and two thirds of any window", () => {
  for (const timeout of [3, 30, 250, 1000, 60_000]) {
    const { probes } = play([], { timeout });
    equal(probes.length, 3);
    deepEqual(probes.map((at) => Math.round(3 * at / timeout)), [0, 1, 2], `${timeout} ms`);
  }
});

Deno.test("judge: looked at too seldom, the probes that are due are sent one at a look", () => {
  let contest = beginContest({ mac: OWN, probes: true, start: START, timeout: WINDOW });
  const looks = [10, 290, 291, 292, 299].map((at) => {
    const { probe, contest: next } = decide(contest, START + at);
    contest = next;
    return probe;
  });
  deepEqual(looks, [true, true, true, false, false]);
});

Deno.test("judge: it is waited until time alone changes something, at least a millisecond", () => {
  const idle = beginContest({ mac: OWN, probes: true, start: START, timeout: WINDOW });
  const asked = decide(decide(decide(idle, START).contest, START + 100).contest, START + 200).contest;
  const graced = judge(asked, came(), START + 250);
  const lingering = judge(judge(asked, probe(HIGHER), START + 250), came(), START + 260);
  const waits: [typeof idle, number, number][] = [
    [idle, 0, 100],
    [asked, 200, 100],
    [asked, 299.9, 1],
    [graced, 250, GRACE],
    [graced, 289.5, 1],
    [lingering, 299, 1],
    [lingering, 300, LINGER],
    [lingering, 5000, 300],
    [lingering, 5300, 1],
  ];
  for (const [contest, at, wait] of waits) equal(decide(contest, START + at).wait, wait, `at ${at}`);
});

Deno.test("judge: a contest that was judged is as it was before", () => {
  const contest = beginContest({ mac: OWN, probes: true, start: START, timeout: WINDOW });
  const before = structuredClone(contest);
  for (const seen of [came(), went(), probe(HIGHER), probe(LOWER), use(LOWER), missed]) judge(contest, seen, START);
  decide(contest, START);
  deepEqual(contest, before);
});
