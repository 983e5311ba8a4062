/** What is asked of both sides of the contract, by title. */
import type { Side } from "./side.ts";

export type Scenarios = Readonly<Record<string, (side: Side) => void | Promise<void>>>;
