/** Calls about containers whose namespace has their name: `eth0` in the network `red` unless a call says otherwise. */
import { type Answer, type Call, type Called, type Refusal, refused, succeeded } from "./call.ts";
import { netConf } from "./config.ts";

export interface Caller {
  /** Runs a verb for a container's `eth0`. */
  call(verb: string, containerId: string, options?: Call): Promise<Called>;
  /** As call(), must succeed. */
  run(verb: string, containerId: string, options?: Call): Promise<Answer>;
  /** As call(), must be refused. */
  refuse(verb: string, containerId: string, options?: Call): Promise<Refusal>;
}

/** The three ways to call, over one that runs a call. */
export function caller(call: (verb: string, options: Call) => Promise<Called>): Caller {
  const about = (containerId: string, options: Call = {}): Call => ({
    config: netConf(),
    containerId,
    netns: containerId,
    ifname: "eth0",
    ...options,
  });
  return {
    call: (verb, containerId, options) => call(verb, about(containerId, options)),
    async run(verb, containerId, options) {
      const asked = about(containerId, options);
      return succeeded(verb, asked, await call(verb, asked));
    },
    async refuse(verb, containerId, options) {
      const asked = about(containerId, options);
      return refused(verb, asked, await call(verb, asked));
    },
  };
}

/** The addresses of an answer, without length. */
export function addresses(answer: Answer): string[] {
  return (answer.ips ?? []).map(({ address }) => address.replace(/\/\d+$/, ""));
}
