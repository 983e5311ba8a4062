/** A node of the program tests: a host with an underlay device that leads nowhere, and the calls that the tests make there. */
import { call } from "../lib/call.ts";
import { type Caller, caller } from "../lib/caller.ts";
import { type Host, loneHost } from "../lib/host.ts";
import { stateOf } from "../lib/state.ts";

export class Node implements Caller, AsyncDisposable {
  readonly call: Caller["call"];
  readonly run: Caller["run"];
  readonly refuse: Caller["refuse"];

  private constructor(readonly host: Host, readonly before: readonly string[]) {
    ({ call: this.call, run: this.run, refuse: this.refuse } = caller((verb, options) => call(host, verb, options)));
  }

  static async make(): Promise<Node> {
    const host = await loneHost();
    return new Node(host, await stateOf(host));
  }

  /** Makes a container's namespace; its name is the container id as well. */
  container(name?: string): Promise<string> {
    return this.host.container(name);
  }

  /** What there is on the host that was not there when it was made, and what has gone since. */
  async changes(): Promise<string[]> {
    const now = await stateOf(this.host);
    return [
      ...now.filter((line) => !this.before.includes(line)).map((line) => `+ ${line}`),
      ...this.before.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host[Symbol.asyncDispose]();
  }
}
