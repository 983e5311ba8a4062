/** The route events of one host, with the kernel's order and a clock that all hosts share. */
import type { Host } from "../lib/host.ts";

/** One line of `ip monitor route`. */
export interface RouteEvent {
  /** When it was read, in microseconds of the machine's clock. */
  at: number;
  deleted: boolean;
  /** `10.97.1.7 dev mv_red proto 192 scope link metric 16`. */
  text: string;
}

export class RouteWatch implements AsyncDisposable {
  readonly events: RouteEvent[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #waiting = new Set<() => void>();
  readonly #reading: Promise<void>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#reading = this.#read();
  }

  /** Listens on a host; events count from the moment this returns. */
  static async start(host: Host, family: 4 | 6): Promise<RouteWatch> {
    const [program, ...args] = host.enter(["ip", `-${family}`, "-tshort", "-o", "monitor", "route"]);
    const child = new Deno.Command(program ?? "", { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
    const watch = new RouteWatch(child);
    // The monitor listens once an event of our own making is seen.
    const probe = family === 4 ? "203.0.113.255/32" : "100::ffff/128";
    for (;;) {
      await host.must(["ip", `-${family}`, "route", "replace", "blackhole", probe, "metric", "77"]);
      await host.must(["ip", `-${family}`, "route", "del", "blackhole", probe, "metric", "77"]);
      if (watch.events.some((event) => event.deleted && event.text.includes(probe.split("/")[0] ?? ""))) break;
    }
    watch.events.length = 0;
    return watch;
  }

  /** The first event that fits, already seen or still to come within `bound` milliseconds. */
  async find(what: string, fits: (event: RouteEvent) => boolean, bound = 30_000): Promise<RouteEvent> {
    const expiry = AbortSignal.timeout(bound);
    for (;;) {
      const found = this.events.find(fits);
      if (found !== undefined) return found;
      if (expiry.aborted) throw new Error(`Waited ${bound} ms in vain for the event: ${what}`);
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        expiry.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const chunk of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const match = /^\[([^\]]+)\] (Deleted )?(.*)$/.exec(line);
        if (match === null) continue;
        const [, time = "", deleted, text = ""] = match;
        const [seconds = "", micros = "0"] = time.split(".");
        this.events.push({
          at: Date.parse(`${seconds}Z`) * 1000 + Number(micros),
          deleted: deleted !== undefined,
          text,
        });
      }
      for (const wake of this.#waiting) wake();
      this.#waiting.clear();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch { /* It ended with its host. */ }
    await this.#child.status;
    await this.#reading;
  }
}
