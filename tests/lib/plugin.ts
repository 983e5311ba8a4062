/** Old names of what call.ts and state.ts have now, for tests/lab. */
export { call, type Called, type Running, start } from "./call.ts";
export { stateOf as hostState } from "./state.ts";
